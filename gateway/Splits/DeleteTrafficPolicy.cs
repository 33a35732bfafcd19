using MlOps.Gateway.Experiments;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Splits;

/// <summary>Back to the default: everything to the alias "champion". When it returns, this replica no longer splits the model.</summary>
internal sealed partial class DeleteTrafficPolicy(TrafficPolicyChanges changes, PolicyBook book, ILogger<DeleteTrafficPolicy> logger)
{
    /// <summary>Expected is the revision the caller saw; 0: whatever it is.</summary>
    /// <exception cref="NotFoundException">TRAFFIC_POLICY_NOT_FOUND.</exception>
    /// <exception cref="ConflictException">
    /// TRAFFIC_POLICY_CHANGED: the revision is another by now. TRAFFIC_POLICY_FILE_OWNED: the policy file has the model.
    /// MODEL_IS_SPLIT: an experiment has the model's traffic.
    /// </exception>
    public async Task RunAsync(string model, long expected, string actor, string reason, CancellationToken ct)
    {
        var violations = new Violations();
        violations.CheckReason(actor, reason);
        violations.ThrowIfAny("TRAFFIC_POLICY_INVALID");
        book.ThrowIfFileOwned(model);

        var revision = 0L;
        await changes.MakeAsync(
            model, expected, actor, reason,
            async turn =>
            {
                await PolicyGuard.ThrowIfRunningAsync(turn, model, ct);
                if (turn.Before is null) throw PolicyBook.NotFound(model);
                await turn.Transaction.ExecuteAsync("delete from traffic_policy where model = $1", [model], ct);
                revision = turn.Revision;
                return null;
            },
            ct);
        await book.CatchUpAsync(revision, ct);
        LogDeleted(model, revision);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Traffic of {Model} is no longer split, from revision {Revision}")]
    private partial void LogDeleted(string model, long revision);
}
