using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Rollouts;

/// <summary>What a plan may look like; every broken rule is reported at once.</summary>
internal static class RolloutPlanRules
{
    private const int MaxSteps = 50;
    private const int MaxRules = 20;
    private const int MaxHooks = 20;
    private const double MaxSeconds = 30 * 24 * 3600;

    public static void CheckPlan(this Violations violations, RolloutPlan plan)
    {
        violations.AddIf(plan.Steps.Count > MaxSteps, "steps", $"at most {MaxSteps}");
        violations.AddIf(plan.Rules.Count > MaxRules, "rules", $"at most {MaxRules}");
        violations.AddIf(plan.Hooks.Count > MaxHooks, "hooks", $"at most {MaxHooks}");
        violations.AddIf(plan.OnInconclusive is not ("wait" or "widen" or "stop"), "on_inconclusive", "must be wait, widen or stop");
        violations.AddIf(!IsSeconds(plan.MinimumStepSeconds), "minimum_step_seconds", "must be 0 to 2,592,000 (30 days)");
        violations.AddIf(
            !IsSeconds(plan.ProgressDeadlineSeconds) || plan.ProgressDeadlineSeconds < plan.MinimumStepSeconds,
            "progress_deadline_seconds", "must be minimum_step_seconds to 2,592,000 (30 days)");
        violations.AddIf(plan.Alpha is not (> 0 and < 0.5), "alpha", "must be between 0 and 0.5");
        if (violations.Any) return;
        for (var i = 0; i < plan.Steps.Count; i++) violations.CheckStep(plan.Steps[i], $"steps[{i}]");
        for (var i = 0; i < plan.Rules.Count; i++) violations.CheckRule(plan.Rules[i], $"rules[{i}]");
        for (var i = 0; i < plan.Hooks.Count; i++) violations.CheckHook(plan.Hooks[i], $"hooks[{i}]");
    }

    private static void CheckStep(this Violations violations, RolloutStep? step, string field)
    {
        object?[] kinds = [step?.SetWeight, step?.SetCoverage, step?.Pause, step?.Analysis, step?.Shadow];
        violations.AddIf(
            kinds.Count(k => k is not null) != 1, field, "must be one of set_weight, set_coverage, pause, analysis and shadow");
        if (step is null) return;
        violations.AddIf(step.SetWeight is not (null or (>= 0 and <= 1)), $"{field}.set_weight", "must be between 0 and 1");
        violations.AddIf(step.SetCoverage is not (null or (>= 0 and <= 1)), $"{field}.set_coverage", "must be between 0 and 1");
        violations.AddIf(step.Pause?.Seconds is { } pause && !IsSeconds(pause), $"{field}.pause.seconds", "must be 0 to 2,592,000 (30 days)");
        violations.AddIf(
            step.Analysis?.Seconds is { } analysis && !IsSeconds(analysis), $"{field}.analysis.seconds", "must be 0 to 2,592,000 (30 days)");
        if (step.Shadow is not { } shadow) return;
        violations.AddIf(shadow.Samples is < 1 or > 1_000_000_000, $"{field}.shadow.samples", "must be 1 to 1,000,000,000");
        violations.AddIf(shadow.Rate is not (> 0 and <= 1), $"{field}.shadow.rate", "must be above 0 and at most 1");
        violations.AddIf(shadow.MaxFailureShare is not (>= 0 and <= 1), $"{field}.shadow.max_failure_share", "must be between 0 and 1");
        violations.AddIf(
            shadow.MaxDifference is { } most && !(double.IsFinite(most) && most >= 0), $"{field}.shadow.max_difference", "must be a number from 0");
    }

    private static void CheckRule(this Violations violations, RolloutRule? rule, string field)
    {
        if (rule is null)
        {
            violations.Add(field, "must be a rule");
            return;
        }

        violations.AddIf(
            !RolloutMetric.All.Contains(rule.Metric), $"{field}.metric", $"must be one of {string.Join(", ", RolloutMetric.All)}");
        violations.AddIf(rule.Aim is not ("guardrail" or "goal" or "limit"), $"{field}.aim", "must be guardrail, goal or limit");
        violations.AddIf(rule.Direction is not ("" or "lower" or "higher" or "none"), $"{field}.direction", "must be lower, higher or none");
        violations.AddIf(
            rule.Aim is "goal" or "limit" && (rule.Direction == "none" || (rule.Direction.Length == 0 && rule.Metric == RolloutMetric.Prediction)),
            $"{field}.direction", $"must be lower or higher for a {rule.Aim}");
        violations.AddIf(
            !double.IsFinite(rule.Absolute) || (rule.Absolute < 0 && rule.Aim != "limit"), $"{field}.absolute", "must be a number from 0");
        violations.AddIf(rule.Relative is not (>= 0 and <= 100), $"{field}.relative", "must be between 0 and 100");
        violations.AddIf(rule.Aim == "limit" && rule.Relative != 0, $"{field}.relative", "a limit has no baseline");
        violations.AddIf(
            rule.ThresholdMs is not null && rule.Metric != RolloutMetric.Latency, $"{field}.threshold_ms", "is for latency alone");
        violations.AddIf(
            rule.ThresholdMs is not (null or (> 0 and <= 100_000)), $"{field}.threshold_ms", "must be above 0 and at most 100,000");
    }

    private static void CheckHook(this Violations violations, RolloutHook? hook, string field)
    {
        if (hook is null)
        {
            violations.Add(field, "must be a hook");
            return;
        }

        violations.AddIf(!HookType.All.Contains(hook.Type), $"{field}.type", $"must be one of {string.Join(", ", HookType.All)}");
        violations.AddIf(hook.Name.Length is 0 or > 255, $"{field}.name", "must be 1 to 255 characters");
        violations.AddIf(
            !Uri.TryCreate(hook.Url, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"),
            $"{field}.url", "must be an absolute http or https address");
        violations.AddIf(hook.TimeoutSeconds is not (> 0 and <= 60), $"{field}.timeout_seconds", "must be above 0 and at most 60");
        violations.AddIf(hook.Metadata.Count > 50, $"{field}.metadata", "at most 50 entries");
    }

    private static bool IsSeconds(double seconds) => seconds is >= 0 and <= MaxSeconds;
}
