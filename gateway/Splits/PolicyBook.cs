using Microsoft.Extensions.Options;
using MlOps.Gateway.Revisions;
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
    OutcomeBook outcomes, ShadowBook shadows) : RevisedCopy
{
    private volatile PolicySnapshot _current = PolicySnapshot.Empty;
    private IReadOnlyList<TrafficPolicy> _stored = [];
    private volatile PolicyFile _file = PolicyFile.None;
    private volatile IReadOnlyList<string> _overridden = [];

    public PolicySnapshot Current => _current;

    public override long Revision => _current.Revision;

    /// <summary>The policy file whose policies are in force.</summary>
    public PolicyFile File => _file;

    /// <summary>Models whose stored policy the policy file's stands before: of the same model, or in the same part of a layer.</summary>
    public IReadOnlyList<string> Overridden => _overridden;

    /// <summary>Who takes part in no experiment: as the policy file says, else the settings.</summary>
    public Holdout Holdout => _file.Holdout ?? options.Value.Holdout;

    /// <exception cref="NotFoundException">TRAFFIC_POLICY_NOT_FOUND.</exception>
    public TrafficPolicy Get(string model) => Current.Find(model)?.Policy ?? throw NotFound(model);

    /// <summary>Replaces the policy file's policies.</summary>
    public Task TakeFileAsync(PolicyFile file, CancellationToken ct) => InTurnAsync(
        () =>
        {
            _file = file;
            Publish(_current.Revision);
            return Task.CompletedTask;
        },
        ct);

    /// <exception cref="ConflictException">TRAFFIC_POLICY_FILE_OWNED.</exception>
    public void ThrowIfFileOwned(string model)
    {
        if (Current.Find(model)?.Policy.Owner != PolicyOwner.File) return;
        throw new ConflictException(
            "TRAFFIC_POLICY_FILE_OWNED", $"The traffic policy of {model} stands in the gateway's policy file and is changed there alone.");
    }

    internal static NotFoundException NotFound(string model) =>
        new("TRAFFIC_POLICY_NOT_FOUND", $"The model {model} has no traffic policy; its alias champion answers.");

    protected override async Task LoadAsync(long revision, CancellationToken ct)
    {
        _stored = await TrafficPolicyChanges.AllAsync(source, ct);
        Publish(revision);
        metrics.PolicyReloads.Add(1);
    }

    protected override Task<long> LatestAsync(CancellationToken ct) => source.QueryFirstOrDefaultAsync(
        "select coalesce(max(revision), 0) from traffic_policy_change", [], r => r.GetInt64(0), ct);

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
}
