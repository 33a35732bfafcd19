using Microsoft.Extensions.Options;
using MlOps.Gateway.Rollouts.Observations;
using MlOps.Gateway.Shadows;
using MlOps.Numerics.Assignment;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Splits;

/// <summary>
/// This replica's policies: an immutable snapshot that requests read without a lock, replaced as a whole. The policy file's
/// stand before those stored, which come into force again where the file no longer has the model.
/// </summary>
internal sealed class PolicyBook(
    NpgsqlDataSource source, AssignmentCounts counts, GatewayMetrics metrics, IOptions<GatewayOptions> options,
    OutcomeBook outcomes, ShadowBook shadows) : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private volatile PolicySnapshot _current = PolicySnapshot.Empty;
    private IReadOnlyList<TrafficPolicy> _stored = [];
    private volatile PolicyFile _file = PolicyFile.None;
    private volatile IReadOnlyList<string> _overridden = [];

    public PolicySnapshot Current => _current;

    /// <summary>The policy file whose policies are in force.</summary>
    public PolicyFile File => _file;

    /// <summary>Models whose stored policy the policy file's stands before: of the same model, or in the same part of a layer.</summary>
    public IReadOnlyList<string> Overridden => _overridden;

    /// <summary>Who takes part in no experiment: as the policy file says, else the settings.</summary>
    public Holdout Holdout => _file.Holdout ?? options.Value.Holdout;

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

    /// <summary>Replaces the policy file's policies.</summary>
    public async Task TakeFileAsync(PolicyFile file, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            _file = file;
            Publish(_current.Revision);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <exception cref="ConflictException">TRAFFIC_POLICY_FILE_OWNED.</exception>
    public void ThrowIfFileOwned(string model)
    {
        if (Current.Find(model)?.Policy.Owner != PolicyOwner.File) return;
        throw new ConflictException(
            "TRAFFIC_POLICY_FILE_OWNED", $"The traffic policy of {model} stands in the gateway's policy file and is changed there alone.");
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
        _stored = await TrafficPolicyChanges.AllAsync(source, ct);
        Publish(revision);
        metrics.PolicyReloads.Add(1);
    }

    private void Publish(long revision)
    {
        var byFile = _file.Policies.Select(p => p.Model).ToHashSet(StringComparer.Ordinal);
        var layers = _file.Policies.Select(p => p.Layer).OfType<PolicyLayer>().ToLookup(l => l.Name, StringComparer.Ordinal);
        var (behind, inForce) = _stored.Aggregate(
            (Behind: new List<string>(), InForce: new List<TrafficPolicy>(_file.Policies)),
            (all, policy) =>
            {
                var isBehind = byFile.Contains(policy.Model)
                    || (policy.Layer is { } layer && layers[layer.Name].Any(layer.Overlaps));
                if (isBehind) all.Behind.Add(policy.Model);
                else all.InForce.Add(policy);
                return all;
            });
        _overridden = behind;
        var holdout = Holdout;
        _current = new PolicySnapshot(revision, inForce.Select(p => new Split(p, counts, holdout, outcomes.Of(p), shadows.Of(p))));
    }

    private Task<long> LatestAsync(CancellationToken ct) => source.QueryFirstOrDefaultAsync(
        "select coalesce(max(revision), 0) from traffic_policy_change", [], r => r.GetInt64(0), ct);
}
