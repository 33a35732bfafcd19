using System.Text.RegularExpressions;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Experiments;

/// <summary>What an experiment may look like; every broken rule is reported at once.</summary>
internal static partial class ExperimentRules
{
    /// <summary>One place of a policy is for whoever takes no part.</summary>
    public const int MaxArms = 10;
    private const int MaxGuardrails = 10;
    private const int MaxSegments = 5;
    private const long TenYears = 315_360_000;

    public static void CheckExperiment(this Violations violations, string name, string model, ExperimentPlan plan)
    {
        violations.AddIf(!NamePattern().IsMatch(name), "name", "1 to 64 of letters, digits, - _ and ., starting with a letter or digit");
        violations.AddIf(
            plan.Hypothesis.Length is 0 or > 2_000 || plan.Hypothesis.Any(c => char.IsControl(c) && c is not '\n'),
            "hypothesis", "must be given: at most 2,000 characters, none of them control characters");
        violations.CheckSplit(model, plan);
        violations.CheckMetric(plan.Primary, "primary");
        violations.AddIf(
            plan.Primary.Absolute == 0 && plan.Primary.Relative == 0, "primary.absolute",
            "must be above 0, or relative must: the least effect worth finding");
        violations.AddIf(plan.Guardrails.Count > MaxGuardrails, "guardrails", $"must be at most {MaxGuardrails}");
        for (var i = 0; i < Math.Min(plan.Guardrails.Count, MaxGuardrails); i++)
        {
            violations.CheckMetric(plan.Guardrails[i], $"guardrails[{i}]");
            var named = plan.Guardrails[i].Name;
            violations.AddIf(
                named == plan.Primary.Name || plan.Guardrails.Take(i).Any(g => g.Name == named), $"guardrails[{i}].name",
                $"'{named}' is the name of a metric before; names are unique");
        }

        violations.AddIf(
            plan.Segments.Count > MaxSegments || plan.Segments.Any(s => s.Length is 0 or > 255) || plan.Segments.Distinct().Count() < plan.Segments.Count,
            "segments", $"must be at most {MaxSegments} names of model inputs, each once");
        violations.CheckStatistics(plan);
    }

    /// <summary>The policy that splits the traffic of a plan with arms, whose rules are those of every policy.</summary>
    private static void CheckSplit(this Violations violations, string model, ExperimentPlan plan)
    {
        var isAdopting = plan.Arms.Count == 0;
        IReadOnlyList<PolicyArm> arms = isAdopting ? [new("adopted", "1", 1)] : plan.Arms;
        violations.CheckPolicy(new TrafficPolicy(
            model, arms, plan.Salt, plan.Coverage, plan.SubjectHeader.Length == 0 ? "x" : plan.SubjectHeader, 0, default)
        {
            SubjectInput = plan.SubjectInput,
            SubjectJson = plan.SubjectJson,
            Layer = plan.Layer,
        });
        violations.AddIf(plan.Salt.Length > 200, "salt", "at most 200 characters");
        violations.AddIf(
            isAdopting && (plan.Salt.Length > 0 || plan.Layer is not null || plan.Coverage != 1), "arms",
            "must be given with salt, coverage or layer; without arms the policy in force is adopted as it is");
        violations.AddIf(!isAdopting && plan.Arms.Count is < 2 or > MaxArms, "arms", $"must be 2 to {MaxArms}, the first of them the control");
        for (var i = 0; i < Math.Min(plan.Arms.Count, MaxArms); i++)
        {
            violations.AddIf(plan.Arms[i].Name == ExperimentSplit.Outside, $"arms[{i}].name", $"'{ExperimentSplit.Outside}' is who takes no part");
            violations.AddIf(
                !IsNumber(plan.Arms[i].Version), $"arms[{i}].version", "must be a version number: an alias could move while the experiment runs");
            violations.AddIf(plan.Arms[i].Weight == 0, $"arms[{i}].weight", "must be above 0: an arm that nobody meets cannot be compared");
        }
    }

    private static void CheckMetric(this Violations violations, ExperimentMetric metric, string at)
    {
        violations.AddIf(
            !NamePattern().IsMatch(metric.Name), $"{at}.name", "1 to 64 of letters, digits, - _ and ., starting with a letter or digit");
        violations.AddIf(!MetricKind.All.Contains(metric.Kind), $"{at}.kind", $"must be one of {string.Join(", ", MetricKind.All)}");
        violations.AddIf(
            MetricKind.IsOutcome(metric.Kind) && !NamePattern().IsMatch(metric.Outcome), $"{at}.outcome",
            $"must be given for {metric.Kind}: the name of an outcome as submitted");
        violations.AddIf(
            MetricKind.All.Contains(metric.Kind) && !MetricKind.IsOutcome(metric.Kind) && metric.Outcome.Length > 0, $"{at}.outcome",
            $"must be empty for {metric.Kind}, which is of no outcome");
        violations.AddIf(metric.Direction is not ("higher" or "lower"), $"{at}.direction", "must say what is better: higher or lower");
        violations.AddIf(!(metric.Absolute >= 0 && double.IsFinite(metric.Absolute)), $"{at}.absolute", "must not be negative");
        violations.AddIf(metric.Relative is not (>= 0 and <= 1_000), $"{at}.relative", "must be 0 to 1000, a share of the control's mean");
    }

    private static void CheckStatistics(this Violations violations, ExperimentPlan plan)
    {
        violations.AddIf(plan.Alpha is not (>= 0.0001 and <= 0.3), "alpha", "must be between 0.0001 and 0.3");
        violations.AddIf(plan.Power is not (>= 0.5 and <= 0.99), "power", "must be between 0.5 and 0.99");
        violations.AddIf(plan.TunedFor is not (>= 100 and <= 1e9), "tuned_for", "must be 100 to 1,000,000,000 subjects");
        violations.AddIf(plan.AttributionSeconds is < 0 or > TenYears, "attribution_seconds", "must be 0 to ten years");
        violations.AddIf(plan.Stop.MinSubjects is < 50 or > 1_000_000_000, "stop.min_subjects", "must be 50 to 1,000,000,000: the intervals are not for fewer");
        violations.AddIf(
            plan.Stop.MaxSubjects < 0 || (plan.Stop.MaxSubjects > 0 && plan.Stop.MaxSubjects < plan.Stop.MinSubjects), "stop.max_subjects",
            "must be 0 for no limit, or at least min_subjects");
        violations.AddIf(plan.Stop.MinSeconds is < 0 or > TenYears, "stop.min_seconds", "must be 0 to ten years");
        violations.AddIf(
            plan.Stop.MaxSeconds is < 0 or > TenYears || (plan.Stop.MaxSeconds > 0 && plan.Stop.MaxSeconds < plan.Stop.MinSeconds),
            "stop.max_seconds", "must be 0 for no limit, or at least min_seconds, up to ten years");
        if (plan.Thompson is not { } thompson) return;
        violations.AddIf(thompson.IntervalSeconds is < 1 or > 31_536_000, "thompson.interval_seconds", "must be 1 to a year");
        violations.AddIf(
            !(thompson.Floor >= 0.01 && thompson.Floor * Math.Max(2, plan.Arms.Count) <= 1), "thompson.floor",
            "must be from 0.01 up to 1 over the number of arms: each arm goes on being observed");
    }

    /// <summary>Whether the version is a number, and so will be the same one tomorrow.</summary>
    public static bool IsNumber(string version) => version.Length > 0 && version.All(char.IsAsciiDigit);

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}\z")]
    private static partial Regex NamePattern();
}
