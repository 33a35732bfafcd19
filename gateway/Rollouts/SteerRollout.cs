using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Rollouts;

/// <summary>A rollout in somebody's hands: pause, resume, promote, abort, roll back.</summary>
internal sealed class SteerRollout(ListRollouts list, RolloutChanges changes, RollBack rollBack, ModelAliases aliases, TimeProvider time)
{
    private const int Attempts = 5;

    /// <summary>The weights stay as they are; guardrails are watched all the same.</summary>
    /// <exception cref="ConflictException">ROLLOUT_NOT_UNDER_WAY.</exception>
    public Task<Rollout> PauseAsync(string model, string actor, string reason, CancellationToken ct) => ChangeAsync(
        model, actor, reason,
        r => r.Phase is RolloutPhase.Waiting or RolloutPhase.Progressing or RolloutPhase.WaitingPromotion,
        r => r with { IsPaused = true, State = r.State with { Message = Why("paused", reason) } }, ct);

    /// <summary>Goes on where it was paused; a step that waits to be resumed is over.</summary>
    /// <exception cref="ConflictException">ROLLOUT_NOT_UNDER_WAY.</exception>
    public Task<Rollout> ResumeAsync(string model, string actor, string reason, CancellationToken ct) => ChangeAsync(
        model, actor, reason,
        r => r.IsPaused || (r.Phase == RolloutPhase.Progressing && r.Step?.Pause is not null),
        r => r with
        {
            IsPaused = false,
            State = r.State with
            {
                Step = r.Phase == RolloutPhase.Progressing && r.Step?.Pause is not null ? r.State.Step + 1 : r.State.Step,
                Since = time.GetUtcNow(),
                Message = Why("resumed", reason),
            },
        },
        ct);

    /// <summary>Without waiting for steps, evidence or hooks; still for every inference replica to be warm.</summary>
    /// <exception cref="ConflictException">ROLLOUT_NOT_UNDER_WAY.</exception>
    public Task<Rollout> PromoteAsync(string model, string actor, string reason, CancellationToken ct) => ChangeAsync(
        model, actor, reason,
        r => r.Phase is RolloutPhase.Waiting or RolloutPhase.Progressing or RolloutPhase.WaitingPromotion,
        r => r with
        {
            Phase = RolloutPhase.Promoting,
            IsPaused = false,
            State = r.State with { Since = time.GetUtcNow(), Message = Why($"promoted by {(actor.Length > 0 ? actor : "hand")}", reason) },
        },
        ct);

    /// <summary>Ends the rollout under way, or, by its id, one that waits for its turn; everybody is back when it returns.</summary>
    /// <exception cref="NotFoundException">ROLLOUT_NOT_FOUND.</exception>
    /// <exception cref="ConflictException">ROLLOUT_OVER; ROLLOUT_OVERTAKEN.</exception>
    public async Task<Rollout> AbortAsync(string model, Guid? id, string actor, string reason, CancellationToken ct)
    {
        Check(actor, reason);
        var rollout = id is { } one
            ? (await list.RunAsync(model, ct)).FirstOrDefault(r => r.Id == one) ?? throw ListRollouts.NotFound(model)
            : await list.GetAsync(model, ct);
        if (rollout.IsOver) throw Over(rollout);
        return await rollBack.RunAsync(rollout.Id, actor, reason, ct);
    }

    /// <summary>
    /// Back to the version before the model's last rollout, whether it is under way or promoted already; everybody is back when it
    /// returns, and the alias follows.
    /// </summary>
    /// <exception cref="NotFoundException">ROLLOUT_NOT_FOUND.</exception>
    /// <exception cref="ConflictException">ROLLOUT_OVER: the model's champion does not come from it; ROLLOUT_OVERTAKEN.</exception>
    public async Task<Rollout> RollBackAsync(string model, string actor, string reason, CancellationToken ct)
    {
        Check(actor, reason);
        var rollout = await list.GetAsync(model, ct);
        if (rollout.IsOver && (rollout.Phase != RolloutPhase.Succeeded || await aliases.FindAsync(model, ModelAliases.Champion, ct) != rollout.Version))
        {
            throw Over(rollout);
        }

        return await rollBack.RunAsync(rollout.Id, actor, reason, ct);
    }

    private async Task<Rollout> ChangeAsync(
        string model, string actor, string reason, Func<Rollout, bool> may, Func<Rollout, Rollout> change, CancellationToken ct)
    {
        Check(actor, reason);
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            var rollout = await list.GetAsync(model, ct);
            if (!may(rollout))
            {
                var paused = rollout.IsPaused ? ", paused" : "";
                throw new ConflictException(
                    "ROLLOUT_NOT_UNDER_WAY", $"The rollout of {model} {rollout.Version} is {rollout.Phase}{paused}; that is not possible now.");
            }

            if (await changes.MakeAsync(rollout, change(rollout), actor, ct)) return await list.GetAsync(model, ct);
        }

        throw new ConflictException("ROLLOUT_CHANGED", $"The rollout of {model} is being changed by others; read it again.");
    }

    private static ConflictException Over(Rollout rollout) =>
        new("ROLLOUT_OVER", $"The rollout of {rollout.Model} {rollout.Version} is over: {rollout.Phase}.");

    private static void Check(string actor, string reason)
    {
        var violations = new Violations();
        violations.CheckReason(actor, reason);
        violations.ThrowIfAny("ROLLOUT_INVALID");
    }

    private static string Why(string what, string reason) => reason.Length > 0 ? $"{what}: {reason}" : what;
}
