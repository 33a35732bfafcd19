using MlOps.Numerics.Sequential;

namespace MlOps.Gateway.Experiments.Readouts;

/// <summary>The stop rule: what has been found, in the order in which it matters.</summary>
internal static class StopRuling
{
    public static StopReadout Of(
        ExperimentPlan plan, IReadOnlyList<string> problems, MetricReadout primary, IReadOnlyList<GuardrailReadout> guardrails, SampleNeed need,
        SampleRatioReadout ratio, double events, TimeSpan elapsed)
    {
        if (problems.Count > 0) return new StopReadout(StopState.Invalid, "", problems[0]);
        if (Broken(guardrails) is { } broken) return broken;
        var metric = plan.Primary.Name;
        var treatments = primary.Arms.Skip(1).ToArray();
        // Before outcomes have come, arms without any are not arms without an effect.
        var isRipe = primary.Arms.All(a => a.Subjects >= plan.Stop.MinSubjects) && events >= RolloutJudge.LeastEvents
            && elapsed.TotalSeconds >= plan.Stop.MinSeconds;
        if (isRipe)
        {
            // As if higher were better.
            var sign = plan.Primary.Direction == "higher" ? 1 : -1;
            if (treatments.Where(a => Low(a, sign) > 0).MaxBy(a => sign * a.VersusControl?.Difference) is { } best)
                return new StopReadout(StopState.Better, best.Arm, $"{best.Arm} is better than {primary.Arms[0].Arm} in {metric}");
            if (treatments.All(a => High(a, sign) < 0))
                return new StopReadout(StopState.Worse, primary.Arms[0].Arm, $"every arm is worse than {primary.Arms[0].Arm} in {metric}");
            if (need.Effect is { } effect && treatments.All(a => High(a, sign) < effect))
                return new StopReadout(StopState.NoEffect, primary.Arms[0].Arm, FormattableString.Invariant($"no arm is better in {metric} by {effect:G4}, the least effect worth finding"));
        }

        if (plan.Stop.MaxSubjects > 0 && ratio.Arms.Sum(a => a.Subjects) >= plan.Stop.MaxSubjects)
            return new StopReadout(StopState.Inconclusive, "", FormattableString.Invariant($"{plan.Stop.MaxSubjects:N0} subjects were met before anything was found"));
        if (plan.Stop.MaxSeconds > 0 && elapsed.TotalSeconds >= plan.Stop.MaxSeconds)
            return new StopReadout(StopState.Inconclusive, "", FormattableString.Invariant($"{plan.Stop.MaxSeconds:N0} seconds passed before anything was found"));
        return new StopReadout(StopState.Collecting, "", $"the evidence on {metric} does not suffice yet");
    }

    private static StopReadout? Broken(IReadOnlyList<GuardrailReadout> guardrails)
    {
        foreach (var guardrail in guardrails)
        {
            if (guardrail.Arms.FirstOrDefault(a => a.State == "broken") is not { } arm) continue;
            return new StopReadout(StopState.Harmful, arm.Arm, FormattableString.Invariant(
                $"{arm.Arm} breaks the guardrail {guardrail.Metric.Name}: {arm.Treatment:G4} against {arm.Control:G4}"));
        }

        return null;
    }

    // Bounds of the difference, turned so that more is better; NaN, which nothing is above or below, where there is none.
    private static double Low(ArmReadout arm, int sign) => sign * (sign > 0 ? arm.VersusControl?.Lower : arm.VersusControl?.Upper) ?? double.NaN;

    private static double High(ArmReadout arm, int sign) => sign * (sign > 0 ? arm.VersusControl?.Upper : arm.VersusControl?.Lower) ?? double.NaN;
}
