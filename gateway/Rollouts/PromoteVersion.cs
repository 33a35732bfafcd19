using System.Globalization;
using Microsoft.Extensions.Options;
using MlOps.Gateway.Rollouts.Hooks;
using MlOps.Gateway.Rollouts.Judgement;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Rollouts;

/// <summary>
/// The end of a rollout, forwards or back. The traffic moves first, by the policy, which names version numbers; then the alias; then
/// the policy makes way for what was there before, when every replica follows the alias.
/// </summary>
internal sealed class PromoteVersion(
    NpgsqlDataSource source, RolloutChanges changes, CallHooks hooks, GatherEvidence gather, ModelAliases aliases, WarmReplicas replicas,
    IOptions<RolloutOptions> options, TimeProvider time)
{
    public async Task PromoteAsync(Rollout rollout, CancellationToken ct)
    {
        if (await replicas.FirstColdAsync(rollout.Model, rollout.Version, ct) is { } cold)
        {
            var waits = $"waits for {cold} to have version {rollout.Version} warm";
            if (rollout.State.Message != waits) await ChangeAsync(rollout, rollout with { State = rollout.State with { Message = waits } }, ct);
            return;
        }

        if (rollout.State.Weight < 1 || rollout.State.Coverage < 1)
        {
            var all = rollout with { State = rollout.State with { Weight = 1, Coverage = 1, ShadowRate = 0, Message = "all subjects" } };
            var isSet = await changes.MakeAsync(
                rollout, all, RolloutArms.At(1, rollout.StableVersion, rollout.Version), RolloutChanges.Actor, ct);
            if (isSet) await hooks.TellAsync(all, HookType.Event, ct);
            else await EndIfOvertakenAsync(rollout, ct);
            return;
        }

        await aliases.PointAsync(
            rollout.Model, ModelAliases.Champion, rollout.Version, WhoOf(rollout), $"rollout {rollout.Id:N}: {RolloutChanges.Short(rollout.State.Message)}", ct);
        await ChangeAsync(
            rollout, rollout with
            {
                Phase = RolloutPhase.Finalising,
                State = rollout.State with { Since = time.GetUtcNow(), Message = $"alias {ModelAliases.Champion} on version {rollout.Version}" },
            },
            ct);
    }

    public async Task FinaliseAsync(Rollout rollout, CancellationToken ct)
    {
        if (!HasSettled(rollout)) return;
        await RemoveChallengerAsync(rollout, "promoted", ct);
        var after = rollout with
        {
            Phase = RolloutPhase.Succeeded,
            State = rollout.State with { Before = Renewed(rollout), Message = $"version {rollout.Version} stands for the model" },
        };
        if (await changes.MakeAsync(rollout, after, arms: null, RolloutChanges.Actor, ct)) await EndAsync(after, ct);
        else await EndIfOvertakenAsync(rollout, ct);
    }

    public async Task TakeBackAsync(Rollout rollout, CancellationToken ct)
    {
        if (await aliases.FindAsync(rollout.Model, ModelAliases.Champion, ct) == rollout.Version)
        {
            await aliases.PointAsync(
                rollout.Model, ModelAliases.Champion, rollout.StableVersion, WhoOf(rollout),
                $"rollout {rollout.Id:N}: {RolloutChanges.Short(rollout.State.Message)}", ct);
            // From now on the replicas follow; the policy stays for as long as that takes.
            await changes.MakeAsync(
                rollout, rollout with { State = rollout.State with { Since = time.GetUtcNow() } }, RolloutChanges.Actor, ct, isTold: false);
            return;
        }

        if (!HasSettled(rollout)) return;
        await RemoveChallengerAsync(rollout, "rolled back", ct);
        var after = rollout with { Phase = rollout.State.Outcome };
        if (await changes.MakeAsync(rollout, after, arms: null, RolloutChanges.Actor, ct)) await EndAsync(after, ct);
        else await EndIfOvertakenAsync(rollout, ct);
    }

    // Somebody's own policy stands; what the rollout has to say about it is over.
    private async Task EndIfOvertakenAsync(Rollout rollout, CancellationToken ct)
    {
        var isOwn = rollout.State.Revision == 0 || await source.QueryFirstOrDefaultAsync(
            "select true from traffic_policy where model = $1 and rollout = $2", [rollout.Model, rollout.Id], r => r.GetBoolean(0), ct);
        if (isOwn) return;
        var phase = rollout.Phase switch
        {
            RolloutPhase.Finalising => RolloutPhase.Succeeded,
            RolloutPhase.Terminating => rollout.State.Outcome,
            _ => RolloutPhase.Terminated,
        };
        var after = rollout with
        {
            Phase = phase,
            State = rollout.State with { Message = "the model's traffic policy was changed by somebody else, and stands as it is" },
        };
        if (await changes.MakeAsync(rollout, after, RolloutChanges.Actor, ct)) await EndAsync(after, ct);
    }

    private async Task EndAsync(Rollout rollout, CancellationToken ct)
    {
        gather.Forget(rollout.Id);
        await hooks.TellAsync(rollout, HookType.Event, ct);
        await hooks.TellAsync(rollout, HookType.PostRollout, ct);
        // What was counted is in the findings; late flushes of other replicas are swept with the next rollout.
        await source.ExecuteAsync(
            "with gone as (delete from arm_outcome where model = $1) delete from arm_subject where model = $1", [rollout.Model], ct);
    }

    private Task RemoveChallengerAsync(Rollout rollout, string why, CancellationToken ct) => rollout.Source == RolloutSource.Alias
        ? aliases.RemoveAsync(rollout.Model, ModelAliases.Challenger, rollout.Version, WhoOf(rollout), $"rollout {rollout.Id:N}: {why}", ct)
        : Task.CompletedTask;

    /// <summary>A policy that named the old version by its number names the new one.</summary>
    private static TrafficPolicy? Renewed(Rollout rollout)
    {
        var stable = rollout.StableVersion.ToString(CultureInfo.InvariantCulture);
        return rollout.State.Before is { Arms: [var only] } before && only.Version == stable
            ? before with { Arms = [only with { Version = rollout.Version.ToString(CultureInfo.InvariantCulture) }] }
            : rollout.State.Before;
    }

    private async Task ChangeAsync(Rollout rollout, Rollout after, CancellationToken ct)
    {
        if (await changes.MakeAsync(rollout, after, RolloutChanges.Actor, ct)) await hooks.TellAsync(after, HookType.Event, ct);
    }

    private bool HasSettled(Rollout rollout) => time.GetUtcNow() - rollout.State.Since >= options.Value.SettleTime;

    private static string WhoOf(Rollout rollout) => rollout.Actor.Length > 0 ? rollout.Actor : RolloutChanges.Actor;
}
