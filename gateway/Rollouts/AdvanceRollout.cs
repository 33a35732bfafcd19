using MlOps.Gateway.Rollouts.Hooks;
using MlOps.Gateway.Splits;
using Npgsql;

namespace MlOps.Gateway.Rollouts;

/// <summary>
/// One look at a rollout, and at most one step of it. All it needs is in the row, so any replica can make the next look; a look
/// repeated, after a crash in the middle, does what is still to be done.
/// </summary>
internal sealed class AdvanceRollout(
    PolicyBook book, RolloutChanges changes, ProgressRollout progress, PromoteVersion promote, CallHooks hooks, ModelAliases aliases,
    WarmReplicas replicas, TimeProvider time)
{
    public Task RunAsync(Rollout rollout, CancellationToken ct) => rollout.Phase switch
    {
        RolloutPhase.Initialized => BeginAsync(rollout, ct),
        RolloutPhase.Initializing => InitializeAsync(rollout, ct),
        RolloutPhase.Waiting => WaitAsync(rollout, ct),
        RolloutPhase.Progressing or RolloutPhase.WaitingPromotion => progress.RunAsync(rollout, ct),
        RolloutPhase.Promoting => promote.PromoteAsync(rollout, ct),
        RolloutPhase.Finalising => promote.FinaliseAsync(rollout, ct),
        RolloutPhase.Terminating => promote.TakeBackAsync(rollout, ct),
        _ => Task.CompletedTask,
    };

    // Refused by the database while another of the model is under way; the oldest is looked at first.
    private async Task BeginAsync(Rollout rollout, CancellationToken ct)
    {
        try
        {
            await EnterAsync(rollout, RolloutPhase.Initializing, "its turn", ct);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UniqueViolation)
        {
        }
    }

    private async Task InitializeAsync(Rollout rollout, CancellationToken ct)
    {
        if (book.Current.Find(rollout.Model)?.Policy is { } policy && (policy.Owner == PolicyOwner.File || policy.Arms.Count > 1))
        {
            await EnterAsync(rollout, RolloutPhase.Failed, "the model's traffic is split by another policy", ct);
            return;
        }

        var champion = await aliases.FindAsync(rollout.Model, ModelAliases.Champion, ct);
        if (champion is not { } stable || stable == rollout.Version)
        {
            await EnterAsync(rollout, RolloutPhase.Failed, champion is null ? "the model has no champion" : "the version is the champion", ct);
            return;
        }

        if (await replicas.FirstColdAsync(rollout.Model, rollout.Version, ct) is { } cold)
        {
            if (IsStuck(rollout)) await EnterAsync(rollout, RolloutPhase.Failed, $"{cold} did not load the version", ct);
            return;
        }

        await EnterAsync(rollout with { StableVersion = stable }, RolloutPhase.Waiting, $"against version {stable}", ct);
    }

    private async Task WaitAsync(Rollout rollout, CancellationToken ct)
    {
        if (rollout.IsPaused || await hooks.FirstNoAsync(rollout, HookType.ConfirmRollout, ct) is not null) return;
        if (await hooks.FirstNoAsync(rollout, HookType.PreRollout, ct) is { } no)
        {
            if (IsStuck(rollout)) await EnterAsync(rollout, RolloutPhase.Failed, $"the hook {no.Name} says no", ct);
            return;
        }

        await EnterAsync(rollout, RolloutPhase.Progressing, "begins", ct);
    }

    private bool IsStuck(Rollout rollout) =>
        time.GetUtcNow() - rollout.State.Since > TimeSpan.FromSeconds(rollout.Plan.ProgressDeadlineSeconds);

    private async Task EnterAsync(Rollout rollout, string phase, string message, CancellationToken ct)
    {
        var entered = rollout with { Phase = phase, State = rollout.State with { Since = time.GetUtcNow(), Message = message } };
        if (await changes.MakeAsync(rollout, entered, RolloutChanges.Actor, ct)) await hooks.TellAsync(entered, HookType.Event, ct);
    }
}
