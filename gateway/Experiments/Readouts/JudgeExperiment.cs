using MlOps.Numerics.Experiments;
using MlOps.Numerics.Sequential;

namespace MlOps.Gateway.Experiments.Readouts;

/// <summary>
/// Reads an experiment, at every look at once: the chance of ever finding an arm to differ from a control that it equals is at most
/// alpha over all arms (each gets its share, Bonferroni), that of ever calling a guardrail broken that is kept at most another.
/// No clock and no I/O.
/// </summary>
internal static class JudgeExperiment
{
    /// <summary>Share of the subjects that met more than one arm from which on the read-out is not to be trusted.</summary>
    private const double MostCrossed = 0.01;

    /// <param name="experiment">That has begun.</param>
    /// <param name="evidence">Of it.</param>
    /// <param name="at">When the evidence was gathered.</param>
    /// <param name="others">What makes it invalid whatever the evidence says.</param>
    public static ExperimentReadout Read(
        Experiment experiment, ExperimentEvidence evidence, DateTimeOffset at, params IReadOnlyList<string> others)
    {
        var plan = experiment.Plan;
        var arms = new ArmEvidence(plan, experiment.Periods, evidence.Cells);
        var sequence = new ConfidenceSequence(plan.Alpha / (plan.Arms.Count - 1), plan.TunedFor);
        var primary = new MetricReadout(plan.Primary, Arms(plan, arms, sequence, plan.TunedFor));
        var guardrails = Guardrails(plan, arms);
        var ratio = Ratio(plan, arms);
        string[] problems = [.. others, .. Problems(plan, ratio)];
        var started = experiment.StartedAt ?? at;
        var need = Need(plan, arms, sequence, at - started);
        var stop = StopRuling.Of(plan, problems, primary, guardrails, need, ratio, arms.Events(), (experiment.EndedAt ?? at) - started);
        return new ExperimentReadout(
            experiment.Name, experiment.Model, plan.Hypothesis, experiment.State, at, started, experiment.EndedAt, problems.Length == 0,
            problems, ratio, primary, guardrails, [.. evidence.Segments.SelectMany(s => Segments(experiment, s.Input, s.Cells))], need, stop,
            Recommendation.Of(experiment, problems, primary, need, stop), experiment.Periods);
    }

    /// <summary>The primary metric by arm, of all subjects or of those of a segment.</summary>
    private static ArmReadout[] Arms(ExperimentPlan plan, ArmEvidence arms, ConfidenceSequence sequence, double tunedFor)
    {
        var control = arms.Moments(0, metric: 0);
        var ofMeans = new ConfidenceSequence(sequence.Alpha, tunedFor);
        return [.. plan.Arms.Select((a, i) => Arm(a.Name, i))];

        ArmReadout Arm(string name, int i)
        {
            var moments = arms.Moments(i, metric: 0);
            var isThere = moments.Count > 0;
            var width = ofMeans.HalfWidth(moments.Count, Math.Sqrt(moments.MeanVariance));
            var unbiased = arms.Unbiased(i, metric: 0);
            return new ArmReadout(
                name, (long)moments.Count, isThere ? Known(moments.Mean) : null, isThere ? Known(moments.Mean - width) : null,
                isThere ? Known(moments.Mean + width) : null, Known(unbiased?.Estimate), Known(unbiased?.Error),
                i > 0 && isThere && control.Count > 0 ? Lift(ArmLift.Of(control, moments, arms.Difference(i, metric: 0), sequence), plan.Alpha / sequence.Alpha) : null);
        }
    }

    // The p is corrected for the comparisons that share alpha: below alpha just where the interval leaves out zero.
    private static LiftReadout Lift(ArmLift lift, double comparisons) => new(
        Known(lift.Difference), Known(lift.Lower), Known(lift.Upper), Known(Math.Min(1, comparisons * lift.PValue)), Known(lift.Lift), Known(lift.LiftLower),
        Known(lift.LiftUpper), lift.Observations);

    private static GuardrailReadout[] Guardrails(ExperimentPlan plan, ArmEvidence arms)
    {
        var judge = new RolloutJudge(plan.Alpha / (plan.Arms.Count - 1), plan.TunedFor);
        var byArm = Enumerable.Range(1, plan.Arms.Count - 1).Select(arm => judge.Judge(
            [.. plan.Guardrails.Select((g, i) => (RuleOf(g), arms.Strata(arm, metric: i + 1)))])).ToArray();
        return
        [
            .. plan.Guardrails.Select((g, i) => new GuardrailReadout(
                g, [.. byArm.Select((verdicts, arm) => Guardrail(plan.Arms[arm + 1].Name, verdicts[i]))])),
        ];
    }

    private static GuardrailArm Guardrail(string arm, MetricVerdict verdict) => new(
        arm, verdict.Verdict switch { Verdict.Kept => "kept", Verdict.Broken => "broken", _ => "inconclusive" },
        verdict.BaselineCount > 0 ? Known(verdict.Baseline) : null, verdict.CanaryCount > 0 ? Known(verdict.Canary) : null,
        verdict.CanaryCount > 0 && verdict.BaselineCount > 0 ? Known(verdict.Difference) : null, Known(verdict.Lower), Known(verdict.Upper),
        Known(verdict.Margin), Known(verdict.PValue), Known(verdict.MoreNeeded));

    private static MetricRule RuleOf(ExperimentMetric metric) => new(
        metric.Name, MetricAim.Guardrail, metric.Direction == "higher" ? MetricDirection.HigherIsBetter : MetricDirection.LowerIsBetter,
        metric.Absolute, metric.Relative);

    private static SampleRatioReadout Ratio(ExperimentPlan plan, ArmEvidence arms)
    {
        var p = arms.SampleRatioPValue();
        return new SampleRatioReadout(
            p, p < SampleRatio.Alarm, arms.Crossed,
            [.. plan.Arms.Select((a, i) => new ArmExposure(a.Name, a.Version, arms.Subjects(a.Name), arms.Expected(i)))]);
    }

    private static IEnumerable<string> Problems(ExperimentPlan plan, SampleRatioReadout ratio)
    {
        var subjects = ratio.Arms.Sum(a => a.Subjects);
        if (ratio.IsMismatch)
        {
            var counts = string.Join(", ", ratio.Arms.Select(a => FormattableString.Invariant($"{a.Arm} {a.Subjects:N0} of {a.Expected:N0} expected")));
            yield return FormattableString.Invariant(
                $"Sample-ratio mismatch (p = {ratio.PValue:0.0e+0}): {counts}. Something loses or sends subjects by arm, so the arms differ by more than their version.");
        }

        if (subjects >= plan.Stop.MinSubjects && ratio.Crossed > MostCrossed * subjects)
        {
            yield return FormattableString.Invariant(
                $"{ratio.Crossed:N0} of {subjects:N0} subjects met more than one arm: the split changed, or callers send different subjects for the same user.");
        }
    }

    private static SampleNeed Need(ExperimentPlan plan, ArmEvidence arms, ConfidenceSequence sequence, TimeSpan elapsed)
    {
        var control = arms.Moments(0, metric: 0);
        if (control.Count < 2 || !(control.MeanVariance > 0)) return new SampleNeed(null, null, null, null, null);
        var effect = plan.Primary.Absolute + plan.Primary.Relative * Math.Abs(control.Mean);
        var ofOne = control.MeanVariance * control.Count;
        var unit = SampleSize.UnitVariance(ofOne, ofOne, 0.5);
        var perArm = effect > 0 ? Math.Ceiling(SampleSize.ForEffect(sequence, effect, unit, plan.Power) / 2) : double.PositiveInfinity;
        var worth = Enumerable.Range(1, plan.Arms.Count - 1).Min(arm => arms.Difference(arm, metric: 0).Observations);
        var subjects = plan.Arms.Sum(a => arms.Subjects(a.Name));
        // The arms get what they need in step with what the difference is worth so far.
        var more = worth > 0 ? Math.Max(0, Math.Ceiling(subjects * (2 * perArm / worth - 1))) : double.PositiveInfinity;
        return new SampleNeed(
            Known(effect), Known(perArm), worth > 0 && effect > 0 ? Known(SampleSize.Power(sequence, effect, unit, worth)) : null, Known(more),
            subjects > 0 ? Known(more / subjects * elapsed.TotalDays) : null);
    }

    private static IEnumerable<SegmentReadout> Segments(Experiment experiment, string input, IReadOnlyList<EvidenceCell> cells)
    {
        var plan = experiment.Plan;
        var segments = cells.GroupBy(c => c.Segment).OrderByDescending(s => s.Sum(c => c.Subjects)).ThenBy(s => s.Key, StringComparer.Ordinal).ToArray();
        if (segments.Length == 0) return [];
        // Tuned for the subjects that a segment can have of all.
        var tunedFor = Math.Max(100, plan.TunedFor / segments.Length);
        var sequence = new ConfidenceSequence(plan.Alpha / (plan.Arms.Count - 1) / segments.Length, tunedFor);
        return segments.Select(s => new SegmentReadout(
            input, s.Key, Arms(plan, new ArmEvidence(plan with { Guardrails = [] }, experiment.Periods, s), sequence, tunedFor)));
    }

    private static double? Known(double? number) => number is { } n && double.IsFinite(n) ? n : null;
}
