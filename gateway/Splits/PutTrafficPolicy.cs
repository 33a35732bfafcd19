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
            policy.Model, policy.Revision, actor, reason, turn => StoreAsync(turn, policy, ct), ct)
            ?? throw new InvalidOperationException("A policy put is a policy kept.");
        await book.CatchUpAsync(stored.Revision, ct);
        LogPut(stored.Model, stored.Revision, string.Join(", ", stored.Arms.Select(a => $"{a.Name} {a.Version} {a.Weight:R}")));
        return stored;
    }

    private static async Task<TrafficPolicy?> StoreAsync(TrafficPolicyChanges.Turn turn, TrafficPolicy policy, CancellationToken ct)
    {
        var stored = policy with { Revision = turn.Revision, UpdatedAt = turn.At };
        await turn.Transaction.ExecuteAsync(
            """
            insert into traffic_policy (model, revision, arms, salt, coverage, subject_header, updated_at)
            values ($1, $2, $3, $4, $5, $6, $7)
            on conflict (model) do update set
                revision = excluded.revision, arms = excluded.arms, salt = excluded.salt, coverage = excluded.coverage,
                subject_header = excluded.subject_header, updated_at = excluded.updated_at
            """,
            [
                stored.Model, stored.Revision, TrafficPolicyChanges.Json(stored.Arms), stored.Salt, stored.Coverage,
                stored.SubjectHeader, stored.UpdatedAt,
            ],
            ct);
        return stored;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Traffic of {Model} is split by revision {Revision}: {Arms}")]
    private partial void LogPut(string model, long revision, string arms);
}
