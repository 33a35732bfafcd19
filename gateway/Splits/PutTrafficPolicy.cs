using MlOps.Gateway.Experiments;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Splits;

/// <summary>
/// Replaces a model's policy, or leaves everything as it was. When it returns, this replica splits by the new policy; the
/// others follow with the event.
/// </summary>
internal sealed partial class PutTrafficPolicy(TrafficPolicyChanges changes, PolicyBook book, ILogger<PutTrafficPolicy> logger)
{
    /// <summary>The wanted policy's revision is the one the caller saw, 0 for none; empty salt and header take their defaults.</summary>
    /// <exception cref="InvalidRequestException">TRAFFIC_POLICY_INVALID, with every broken rule.</exception>
    /// <exception cref="ConflictException">
    /// TRAFFIC_POLICY_CHANGED: the revision is another by now. TRAFFIC_POLICY_FILE_OWNED: the policy file has the model.
    /// LAYER_RANGE_TAKEN: another model's experiment has some of the part of the layer. MODEL_IS_SPLIT: an experiment has the model's traffic.
    /// </exception>
    public async Task<TrafficPolicy> RunAsync(TrafficPolicy wanted, string actor, string reason, CancellationToken ct)
    {
        var policy = wanted.WithDefaults();
        var violations = new Violations();
        violations.CheckPolicy(policy);
        violations.CheckReason(actor, reason);
        violations.ThrowIfAny("TRAFFIC_POLICY_INVALID");
        book.ThrowIfFileOwned(policy.Model);

        var stored = await changes.MakeAsync(
            policy.Model, policy.Revision, actor, reason,
            async turn =>
            {
                await PolicyGuard.ThrowIfRunningAsync(turn, policy.Model, ct);
                return await StoreAsync(turn, policy, ct);
            },
            ct)
            ?? throw new InvalidOperationException("A policy put is a policy kept.");
        await book.CatchUpAsync(stored.Revision, ct);
        LogPut(stored.Model, stored.Revision, string.Join(", ", stored.Arms.Select(a => $"{a.Name} {a.Version} {a.Weight:R}")));
        return stored;
    }

    /// <summary>Stores a policy that keeps the rules within a change.</summary>
    internal async Task<TrafficPolicy?> StoreAsync(TrafficPolicyChanges.Turn turn, TrafficPolicy policy, CancellationToken ct)
    {
        await CheckLayerAsync(turn, policy, ct);
        var stored = policy with { Revision = turn.Revision, UpdatedAt = turn.At };
        await turn.Transaction.ExecuteAsync(
            """
            insert into traffic_policy (
                model, revision, arms, salt, coverage, subject_header, updated_at, subject_input, subject_json, layer, rollout,
                shadows)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
            on conflict (model) do update set
                revision = excluded.revision, arms = excluded.arms, salt = excluded.salt, coverage = excluded.coverage,
                subject_header = excluded.subject_header, updated_at = excluded.updated_at,
                subject_input = excluded.subject_input, subject_json = excluded.subject_json, layer = excluded.layer,
                rollout = excluded.rollout, shadows = excluded.shadows
            """,
            [
                stored.Model, stored.Revision, TrafficPolicyChanges.Json(stored.Arms), stored.Salt, stored.Coverage,
                stored.SubjectHeader, stored.UpdatedAt, stored.SubjectInput, stored.SubjectJson, TrafficPolicyChanges.Json(stored.Layer),
                stored.Rollout, TrafficPolicyChanges.Json(stored.Shadows.Count > 0 ? stored.Shadows : null),
            ],
            ct);
        return stored;
    }

    // Changes come one after the other, so nobody else takes the range meanwhile.
    private async Task CheckLayerAsync(TrafficPolicyChanges.Turn turn, TrafficPolicy policy, CancellationToken ct)
    {
        if (policy.Layer is not { } layer) return;
        var stored = await TrafficPolicyChanges.InLayerAsync(turn.Transaction, layer.Name, ct);
        var other = stored.Concat(book.File.Policies).FirstOrDefault(p => p.Model != policy.Model && layer.Overlaps(p.Layer));
        if (other?.Layer is { } taken)
        {
            throw new ConflictException(
                "LAYER_RANGE_TAKEN",
                $"The model {other.Model} has [{taken.Start:R}, {taken.End:R}) of the layer {taken.Name}; experiments of a layer must not overlap.");
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Traffic of {Model} is split by revision {Revision}: {Arms}")]
    private partial void LogPut(string model, long revision, string arms);
}
