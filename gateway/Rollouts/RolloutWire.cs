using MlOps.Gateway.Rollouts.Judgement;
using Wire = MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway.Rollouts;

/// <summary>Rollouts between the wire of <c>mlops.gateway.v1</c> and the slices.</summary>
internal static class RolloutWire
{
    public static RolloutPlan FromWire(Wire.RolloutPlan? plan)
    {
        var defaults = new RolloutPlan();
        return plan is null
            ? defaults
            : new RolloutPlan
            {
                Steps = [.. plan.Steps.Select(FromWire)],
                Rules = [.. plan.Rules.Select(FromWire)],
                Hooks = [.. plan.Hooks.Select(FromWire)],
                OnInconclusive = plan.OnInconclusive.Length > 0 ? plan.OnInconclusive : defaults.OnInconclusive,
                MinimumStepSeconds = plan.HasMinimumStepSeconds ? plan.MinimumStepSeconds : defaults.MinimumStepSeconds,
                ProgressDeadlineSeconds = plan.HasProgressDeadlineSeconds ? plan.ProgressDeadlineSeconds : defaults.ProgressDeadlineSeconds,
                Alpha = plan.HasAlpha ? plan.Alpha : defaults.Alpha,
            };
    }

    public static Wire.Rollout ToWire(Rollout rollout, IEnumerable<RolloutEntry>? history = null)
    {
        var wire = new Wire.Rollout
        {
            RolloutId = rollout.Id.ToString("N"),
            Model = rollout.Model,
            Version = rollout.Version,
            StableVersion = rollout.StableVersion,
            Phase = rollout.Phase,
            IsPaused = rollout.IsPaused,
            Plan = ToWire(rollout.Plan),
            Step = rollout.State.Step,
            Weight = rollout.State.Weight,
            Coverage = rollout.State.Coverage,
            Message = rollout.State.Message,
            Source = rollout.Source,
            Actor = rollout.Actor,
            Reason = rollout.Reason,
            CreatedAtMicros = Micros(rollout.CreatedAt),
            UpdatedAtMicros = Micros(rollout.UpdatedAt),
            EndedAtMicros = rollout.EndedAt is { } ended ? Micros(ended) : 0,
            Findings = rollout.Findings is { } findings ? ToWire(findings) : null,
            Shadow = rollout.Shadow,
        };
        wire.History.AddRange((history ?? []).Select(e => new Wire.RolloutEntry
        {
            AtMicros = Micros(e.At),
            Phase = e.Phase,
            Step = e.Step,
            Weight = e.Weight,
            Actor = e.Actor,
            Message = e.Message,
        }));
        return wire;
    }

    private static RolloutStep FromWire(Wire.RolloutStep step) => step.StepCase switch
    {
        Wire.RolloutStep.StepOneofCase.SetWeight => new RolloutStep { SetWeight = step.SetWeight },
        Wire.RolloutStep.StepOneofCase.SetCoverage => new RolloutStep { SetCoverage = step.SetCoverage },
        Wire.RolloutStep.StepOneofCase.Pause => new RolloutStep { Pause = new PauseStep(step.Pause.HasSeconds ? step.Pause.Seconds : null) },
        Wire.RolloutStep.StepOneofCase.Analysis =>
            new RolloutStep { Analysis = new AnalysisStep(step.Analysis.HasSeconds ? step.Analysis.Seconds : null) },
        Wire.RolloutStep.StepOneofCase.Shadow => new RolloutStep { Shadow = FromWire(step.Shadow) },
        _ => new RolloutStep(),
    };

    private static ShadowStep FromWire(Wire.ShadowStep step)
    {
        var defaults = new ShadowStep(step.Samples);
        return defaults with
        {
            Rate = step.HasRate ? step.Rate : defaults.Rate,
            MaxFailureShare = step.HasMaxFailureShare ? step.MaxFailureShare : defaults.MaxFailureShare,
            MaxDifference = step.HasMaxDifference ? step.MaxDifference : null,
        };
    }

    private static Wire.ShadowStep ToWire(ShadowStep step)
    {
        var wire = new Wire.ShadowStep { Samples = step.Samples, Rate = step.Rate, MaxFailureShare = step.MaxFailureShare };
        if (step.MaxDifference is { } most) wire.MaxDifference = most;
        return wire;
    }

    private static RolloutRule FromWire(Wire.RolloutRule rule) => new()
    {
        Metric = rule.Metric,
        Aim = rule.Aim.Length > 0 ? rule.Aim : "guardrail",
        Direction = rule.Direction,
        Absolute = rule.Absolute,
        Relative = rule.Relative,
        Watch = rule.Watch,
        ThresholdMs = rule.HasThresholdMs ? rule.ThresholdMs : null,
    };

    private static RolloutHook FromWire(Wire.RolloutHook hook) => new()
    {
        Type = hook.Type,
        Name = hook.Name,
        Url = hook.Url,
        TimeoutSeconds = hook.TimeoutSeconds == 0 ? new RolloutHook().TimeoutSeconds : hook.TimeoutSeconds,
        Metadata = new Dictionary<string, string>(hook.Metadata),
    };

    private static Wire.RolloutPlan ToWire(RolloutPlan plan) => new()
    {
        Steps = { plan.Steps.Select(ToWire) },
        Rules = { plan.Rules.Select(ToWire) },
        Hooks =
        {
            plan.Hooks.Select(h => new Wire.RolloutHook
            {
                Type = h.Type,
                Name = h.Name,
                Url = h.Url,
                TimeoutSeconds = h.TimeoutSeconds,
                Metadata = { h.Metadata.ToDictionary() },
            }),
        },
        OnInconclusive = plan.OnInconclusive,
        MinimumStepSeconds = plan.MinimumStepSeconds,
        ProgressDeadlineSeconds = plan.ProgressDeadlineSeconds,
        Alpha = plan.Alpha,
    };

    private static Wire.RolloutStep ToWire(RolloutStep step) => step switch
    {
        { SetWeight: { } weight } => new() { SetWeight = weight },
        { SetCoverage: { } coverage } => new() { SetCoverage = coverage },
        { Pause.Seconds: { } seconds } => new() { Pause = new Wire.PauseStep { Seconds = seconds } },
        { Pause: not null } => new() { Pause = new Wire.PauseStep() },
        { Analysis.Seconds: { } seconds } => new() { Analysis = new Wire.AnalysisStep { Seconds = seconds } },
        { Analysis: not null } => new() { Analysis = new Wire.AnalysisStep() },
        { Shadow: { } shadow } => new() { Shadow = ToWire(shadow) },
        _ => new(),
    };

    private static Wire.RolloutRule ToWire(RolloutRule rule)
    {
        var wire = new Wire.RolloutRule
        {
            Metric = rule.Metric,
            Aim = rule.Aim,
            Direction = rule.Direction,
            Absolute = rule.Absolute,
            Relative = rule.Relative,
            Watch = rule.Watch,
        };
        if (rule.ThresholdMs is { } threshold) wire.ThresholdMs = threshold;
        return wire;
    }

    private static Wire.RolloutFindings ToWire(Findings findings) => new()
    {
        AtMicros = Micros(findings.At),
        Rules = { findings.Rules.Select(ToWire) },
        Ratio = findings.Ratio is { } ratio
            ? new Wire.RatioFinding
            {
                Stable = ratio.Stable,
                Canary = ratio.Canary,
                PValue = ratio.PValue,
                SequentialPValue = ratio.SequentialPValue,
                IsMismatch = ratio.IsMismatch,
            }
            : null,
        Summary = findings.Summary,
    };

    private static Wire.RuleFinding ToWire(RuleFinding rule)
    {
        var wire = new Wire.RuleFinding
        {
            Metric = rule.Metric,
            Aim = rule.Aim,
            Watch = rule.IsWatched,
            Verdict = rule.Verdict,
            Baseline = rule.Baseline,
            Canary = rule.Canary,
            BaselineCount = rule.BaselineCount,
            CanaryCount = rule.CanaryCount,
            Difference = rule.Difference,
            Margin = rule.Margin,
            PValue = rule.PValue,
            Message = rule.Message,
        };
        if (rule.Lower is { } lower) wire.Lower = lower;
        if (rule.Upper is { } upper) wire.Upper = upper;
        if (rule.MoreNeeded is { } more) wire.MoreNeeded = more;
        if (rule.ThresholdMs is { } threshold) wire.ThresholdMs = threshold;
        return wire;
    }

    private static long Micros(DateTimeOffset at) => (at - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
}
