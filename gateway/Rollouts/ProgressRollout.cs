using MlOps.Gateway.Rollouts.Hooks;
using MlOps.Gateway.Rollouts.Judgement;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Rollouts;

/// <summary>
/// A rollout on its steps. Whatever the step waits for, every look judges the evidence first: what breaks a rule goes back at
/// once, paused or not.
/// </summary>
internal sealed class ProgressRollout(
    NpgsqlDataSource source, RolloutChanges changes, RollBack rollBack, GatherEvidence gather, CallHooks hooks,
    ShadowVersion shadows, GatewayMetrics metrics, TimeProvider time)
{
    public async Task RunAsync(Rollout rollout, CancellationToken ct)
    {
        if (rollout.State.Revision > 0 && await IsOvertakenAsync(rollout, ct))
        {
            await EndOvertakenAsync(rollout, ct);
            return;
        }

        var evidence = await gather.RunAsync(rollout, ct);
        if (rollout.State.SlowBucket is null && JudgeRollout.SlowBucket(evidence) is { } slow)
        {
            var frozen = rollout with { State = rollout.State with { SlowBucket = slow } };
            await changes.MakeAsync(rollout, frozen, RolloutChanges.Actor, ct, isTold: false);
            return;
        }

        var findings = JudgeRollout.Judge(rollout.Plan, rollout.State.SlowBucket, evidence, time.GetUtcNow());
        await KeepAsync(rollout, findings, ct);
        Record(rollout, findings);
        if (findings.Broken is { } broken) await GoBackAsync(rollout, broken.Message, ct);
        else if (await hooks.FirstYesAsync(rollout, HookType.Rollback, ct) is { } hook) await GoBackAsync(rollout, $"the hook {hook.Name} asks for it", ct);
        else if (!rollout.IsPaused) await StepAsync(rollout, findings, ct);
    }

    private Task StepAsync(Rollout rollout, Findings findings, CancellationToken ct) => (rollout.Phase, rollout.Step) switch
    {
        (RolloutPhase.WaitingPromotion, _) => ConfirmAsync(rollout, findings, ct),
        (_, null) => EnterAsync(rollout, RolloutPhase.WaitingPromotion, "all steps done", ct),
        (_, { SetWeight: { } weight }) => SetAsync(rollout, weight, rollout.State.Coverage, ct),
        (_, { SetCoverage: { } coverage }) => SetAsync(rollout, rollout.State.Weight, coverage, ct),
        (_, { Pause: { } pause }) => pause.Seconds is { } seconds && HasLasted(rollout, seconds) ? NextAsync(rollout, "pause over", ct) : Task.CompletedTask,
        (_, { Analysis: { } analysis }) => AnalyseAsync(rollout, analysis, findings, ct),
        (_, { Shadow: { } shadow }) => ShadowAsync(rollout, shadow, ct),
        _ => NextAsync(rollout, "nothing to do", ct),
    };

    private async Task SetAsync(Rollout rollout, double weight, double coverage, CancellationToken ct)
    {
        var isMore = weight * coverage > rollout.State.Weight * rollout.State.Coverage;
        if (isMore && await hooks.FirstNoAsync(rollout, HookType.ConfirmTrafficIncrease, ct) is not null) return;
        await SetAsync(
            rollout, rollout.State with
            {
                Weight = weight,
                Coverage = coverage,
                Step = rollout.State.Step + 1,
                Message = FormattableString.Invariant($"weight {weight * 100:0.##} %, coverage {coverage * 100:0.##} %"),
            },
            ct);
    }

    // The policy follows the state, and the step's time begins.
    private async Task SetAsync(Rollout rollout, RolloutState state, CancellationToken ct)
    {
        var after = rollout with { State = state with { Since = time.GetUtcNow() } };
        var arms = state.Weight > 0
            ? RolloutArms.At(state.Weight, rollout.StableVersion, rollout.Version)
            : RolloutArms.Only(RolloutArms.Stable, rollout.StableVersion);
        if (await changes.MakeAsync(rollout, after, arms, RolloutChanges.Actor, ct)) await hooks.TellAsync(after, HookType.Event, ct);
        else if (rollout.State.Revision == 0) await EnterAsync(rollout, RolloutPhase.Failed, "the model's traffic is split by another policy", ct);
    }

    private async Task AnalyseAsync(Rollout rollout, AnalysisStep analysis, Findings findings, CancellationToken ct)
    {
        var isLast = !rollout.Plan.Steps.Skip(rollout.State.Step + 1).Any(s => s.Analysis is not null);
        if (!HasLasted(rollout, analysis.Seconds ?? rollout.Plan.MinimumStepSeconds)) return;
        if (findings.Allows(isLast))
        {
            if (await hooks.FirstNoAsync(rollout, HookType.Rollout, ct) is null) await NextAsync(rollout, findings.Summary, ct);
            return;
        }

        if (!HasLasted(rollout, rollout.Plan.ProgressDeadlineSeconds)) return;
        var missing = findings.Missing(isLast);
        switch (rollout.Plan.OnInconclusive)
        {
            case "stop":
                await GoBackAsync(rollout, $"inconclusive at the deadline: {missing}", ct);
                break;
            // A canary whose share is not what it should be is not shown to more people, and none is promoted without evidence.
            case "widen" when !isLast && !findings.IsMismatch:
                await NextAsync(rollout, $"widened at the deadline without evidence: {missing}", ct);
                break;
        }
    }

    private async Task ShadowAsync(Rollout rollout, ShadowStep step, CancellationToken ct)
    {
        if (rollout.State.ShadowRate != step.Rate)
        {
            var message = FormattableString.Invariant($"shadow of {step.Rate * 100:0.##} % of the requests");
            await SetAsync(rollout, rollout.State with { ShadowRate = step.Rate, Message = message }, ct);
            return;
        }

        var result = await shadows.LookAsync(rollout, step, ct);
        if (result is { IsWorse: true }) await GoBackAsync(rollout, result.Message, ct);
        else if (result is not null) await EndShadowAsync(result.Message);
        else if (!HasLasted(rollout, rollout.Plan.ProgressDeadlineSeconds)) return;
        else if (rollout.Plan.OnInconclusive == "stop") await GoBackAsync(rollout, "the shadow has not its samples at the deadline", ct);
        else if (rollout.Plan.OnInconclusive == "widen") await EndShadowAsync("the shadow has not its samples at the deadline");

        Task EndShadowAsync(string message) => SetAsync(
            rollout, rollout.State with { ShadowRate = 0, Step = rollout.State.Step + 1, Message = message }, ct);
    }

    private async Task ConfirmAsync(Rollout rollout, Findings findings, CancellationToken ct)
    {
        // More requests have come since the last analysis; what they leave open is waited for again.
        var isAnalysed = rollout.Plan.Steps.Any(s => s.Analysis is not null);
        if (findings.IsMismatch || (isAnalysed && !findings.Allows(isPromotion: true))) return;
        if (await hooks.FirstNoAsync(rollout, HookType.ConfirmPromotion, ct) is not null) return;
        await EnterAsync(rollout, RolloutPhase.Promoting, findings.Summary, ct);
    }

    private Task NextAsync(Rollout rollout, string message, CancellationToken ct) => ChangeAsync(
        rollout, rollout with { State = rollout.State with { Step = rollout.State.Step + 1, Since = time.GetUtcNow(), Message = message } }, ct);

    private Task EnterAsync(Rollout rollout, string phase, string message, CancellationToken ct) => ChangeAsync(
        rollout, rollout with { Phase = phase, State = rollout.State with { Since = time.GetUtcNow(), Message = message } }, ct);

    private async Task ChangeAsync(Rollout rollout, Rollout after, CancellationToken ct)
    {
        if (await changes.MakeAsync(rollout, after, RolloutChanges.Actor, ct)) await hooks.TellAsync(after, HookType.Event, ct);
    }

    private async Task GoBackAsync(Rollout rollout, string reason, CancellationToken ct)
    {
        if (!await rollBack.TryAsync(rollout, RolloutPhase.Failed, RolloutChanges.Actor, reason, ct)) return;
        gather.Forget(rollout.Id);
        var back = rollout with { Phase = RolloutPhase.Terminating, State = rollout.State with { Weight = 0, Message = reason } };
        await hooks.TellAsync(back, HookType.Event, ct);
    }

    private Task EndOvertakenAsync(Rollout rollout, CancellationToken ct)
    {
        gather.Forget(rollout.Id);
        return EnterAsync(rollout, RolloutPhase.Terminated, "the model's traffic policy was changed by somebody else, and stands as it is", ct);
    }

    private async Task<bool> IsOvertakenAsync(Rollout rollout, CancellationToken ct) => await source.QueryFirstOrDefaultAsync(
        "select true from traffic_policy where model = $1 and rollout = $2", [rollout.Model, rollout.Id], r => r.GetBoolean(0), ct) is false;

    private async Task KeepAsync(Rollout rollout, Findings findings, CancellationToken ct) => await source.ExecuteAsync(
        "update rollout set findings = $2 where rollout_id = $1 and stamp = $3",
        [rollout.Id, TrafficPolicyChanges.Json(findings), rollout.Stamp], ct);

    private void Record(Rollout rollout, Findings findings)
    {
        var model = KeyValuePair.Create<string, object?>("model", rollout.Model);
        foreach (var rule in findings.Rules.Where(r => r.CanaryCount > 0))
        {
            metrics.RolloutValue.Record(rule.Baseline, model, new("metric", rule.Metric), new("arm", RolloutArms.Stable));
            metrics.RolloutValue.Record(rule.Canary, model, new("metric", rule.Metric), new("arm", RolloutArms.Canary));
        }
    }

    private bool HasLasted(Rollout rollout, double seconds) => time.GetUtcNow() - rollout.State.Since >= TimeSpan.FromSeconds(seconds);
}
