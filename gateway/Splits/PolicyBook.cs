using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Splits;

/// <summary>This replica's policies: an immutable snapshot that requests read without a lock, replaced as a whole.</summary>
internal sealed class PolicyBook(NpgsqlDataSource source, AssignmentCounts counts, GatewayMetrics metrics) : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private volatile PolicySnapshot _current = PolicySnapshot.Empty;

    public PolicySnapshot Current => _current;

    /// <exception cref="NotFoundException">TRAFFIC_POLICY_NOT_FOUND.</exception>
    public TrafficPolicy Get(string model) => Current.Find(model)?.Policy ?? throw NotFound(model);

    /// <summary>Loads the policies unless those of this revision, or later ones, are here already.</summary>
    public async Task CatchUpAsync(long revision, CancellationToken ct)
    {
        if (_current.Revision >= revision) return;
        await _turn.WaitAsync(ct);
        try
        {
            if (_current.Revision < revision) await LoadAsync(ct);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Asks the database for its latest revision and catches up with it.</summary>
    public async Task CheckAsync(CancellationToken ct) => await CatchUpAsync(await LatestAsync(ct), ct);

    public void Dispose() => _turn.Dispose();

    internal static NotFoundException NotFound(string model) =>
        new("TRAFFIC_POLICY_NOT_FOUND", $"The model {model} has no traffic policy; its alias champion answers.");

    private async Task LoadAsync(CancellationToken ct)
    {
        // The revision is read first: the policies are of that revision or a later one, never older than they claim.
        var revision = await LatestAsync(ct);
        var policies = await TrafficPolicyChanges.AllAsync(source, ct);
        _current = new PolicySnapshot(revision, policies.Select(p => new Split(p, counts)));
        metrics.PolicyReloads.Add(1);
    }

    private Task<long> LatestAsync(CancellationToken ct) => source.QueryFirstOrDefaultAsync(
        "select coalesce(max(revision), 0) from traffic_policy_change", [], r => r.GetInt64(0), ct);
}
