using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Rollouts;

/// <summary>
/// Everybody back to the version before, by one change of the policy: in force here when it returns, and on the other replicas with its
/// event. Alias, audit and what was there before follow; they are not waited for.
/// </summary>
internal sealed class RollBack(NpgsqlDataSource source, RolloutChanges changes, ModelAliases aliases, TimeProvider time)
{
    private const int Attempts = 5;

    /// <summary>From the state as it was read; false: it is another by now.</summary>
    /// <param name="rollout">Not over, or promoted.</param>
    /// <param name="outcome">Failed or Terminated.</param>
    /// <param name="actor">Who.</param>
    /// <param name="reason">Why.</param>
    /// <param name="ct">Gives up.</param>
    public async Task<bool> TryAsync(Rollout rollout, string outcome, string actor, string reason, CancellationToken ct)
    {
        var state = rollout.State with { Weight = 0, Coverage = 1, ShadowRate = 0, Message = reason, Outcome = outcome, Since = time.GetUtcNow() };
        if (rollout.State.Revision > 0 || rollout.Phase == RolloutPhase.Succeeded)
        {
            return await changes.MakeAsync(
                rollout, rollout with { Phase = RolloutPhase.Terminating, IsPaused = false, State = state },
                RolloutArms.Only(RolloutArms.Stable, rollout.StableVersion), actor, ct);
        }

        // Nobody has met the version, so there is no policy whose going the alias would have to wait for.
        if (rollout.Source == RolloutSource.Alias)
        {
            await aliases.RemoveAsync(
                rollout.Model, ModelAliases.Challenger, rollout.Version, actor, $"rollout {rollout.Id:N}: {RolloutChanges.Short(reason)}", ct);
        }

        return await changes.MakeAsync(rollout, rollout with { Phase = outcome, State = state }, actor, ct);
    }

    /// <summary>By hand, from whatever state it is in; one that is on its way back already is left to it.</summary>
    /// <exception cref="ConflictException">ROLLOUT_OVER: it is over, and was not promoted; ROLLOUT_OVERTAKEN: the policy is another's.</exception>
    public async Task<Rollout> RunAsync(Guid id, string actor, string reason, CancellationToken ct)
    {
        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            // It was there a moment ago, and rollouts are never deleted.
            var rollout = (await RolloutRows.FindAsync(source, id, ct))!;
            if (rollout.Phase == RolloutPhase.Terminating) return rollout;
            if (rollout.IsOver && rollout.Phase != RolloutPhase.Succeeded)
            {
                throw new ConflictException("ROLLOUT_OVER", $"The rollout of {rollout.Model} {rollout.Version} is {rollout.Phase}.");
            }

            var why = reason.Length > 0 ? reason : "rolled back by hand";
            if (await TryAsync(rollout, RolloutPhase.Terminated, actor, why, ct)) return (await RolloutRows.FindAsync(source, id, ct))!;
        }

        throw new ConflictException("ROLLOUT_OVERTAKEN", "The model's traffic policy was changed by somebody else; it stands as it is.");
    }
}
