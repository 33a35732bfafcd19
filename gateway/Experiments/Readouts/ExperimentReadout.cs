namespace MlOps.Gateway.Experiments.Readouts;

/// <summary>
/// What an experiment says so far. Every interval and p holds at every look at once. Numbers are null where there is nothing to
/// compute them from, bounds where there are none. The problems say why nothing of it can be trusted.
/// </summary>
internal sealed record ExperimentReadout(
    string Name, string Model, string Hypothesis, string State, DateTimeOffset At, DateTimeOffset StartedAt, DateTimeOffset? EndedAt,
    bool IsValid, IReadOnlyList<string> Problems, SampleRatioReadout SampleRatio, MetricReadout Primary,
    IReadOnlyList<GuardrailReadout> Guardrails, IReadOnlyList<SegmentReadout> Segments, SampleNeed Need, StopReadout Stop,
    string Recommendation, IReadOnlyList<ExperimentPeriod> Periods);

/// <summary>
/// Whether subjects came to the arms as the split declares, over all periods; a mismatch means that the arms differ by more than the
/// model. Those who crossed met more than one arm.
/// </summary>
internal sealed record SampleRatioReadout(double PValue, bool IsMismatch, long Crossed, IReadOnlyList<ArmExposure> Arms);

/// <summary>Subjects by the arm they met first, and how many the split lets expect of those there are.</summary>
internal sealed record ArmExposure(string Arm, string Version, long Subjects, double Expected);

/// <summary>A metric by arm, the control first.</summary>
internal sealed record MetricReadout(ExperimentMetric Metric, IReadOnlyList<ArmReadout> Arms);

/// <summary>
/// An arm's mean with its interval, over the subjects that have a value, and beside the control's its difference and lift (null for
/// the control itself). Where weights moved, of a metric per subject, the mean it would have had on all traffic without bias
/// (Horvitz and Thompson), with its standard error.
/// </summary>
internal sealed record ArmReadout(
    string Arm, long Subjects, double? Mean, double? Lower, double? Upper, double? Unbiased, double? UnbiasedError, LiftReadout? VersusControl);

/// <summary>Treatment − control, and as a share of the control's mean. The p is corrected for all comparisons that share alpha.</summary>
internal sealed record LiftReadout(
    double? Difference, double? Lower, double? Upper, double? PValue, double? Lift, double? LiftLower, double? LiftUpper, double Observations);

/// <summary>A guardrail by treatment arm.</summary>
internal sealed record GuardrailReadout(ExperimentMetric Metric, IReadOnlyList<GuardrailArm> Arms);

/// <summary>
/// The state is <c>kept</c>, <c>broken</c> or <c>inconclusive</c>; the margin is what the difference may be. So many further subjects
/// of the arm decide, everything staying as it is; null: none do.
/// </summary>
internal sealed record GuardrailArm(
    string Arm, string State, double? Control, double? Treatment, double? Difference, double? Lower, double? Upper, double? Margin,
    double? PValue, double? MoreNeeded);

/// <summary>The primary metric for one value of an input; intervals are for all segments of the input together.</summary>
internal sealed record SegmentReadout(string Input, string Segment, IReadOnlyList<ArmReadout> Arms);

/// <summary>
/// How many subjects the least effect worth finding (in the metric's unit) needs, how likely it is found by those there are (0 to 1,
/// of the comparison that has fewest), how many more of all arms together it takes, and how long at the rate so far. Null: not known yet.
/// </summary>
internal sealed record SampleNeed(double? Effect, double? SubjectsPerArm, double? Power, double? MoreSubjects, double? DaysLeft);

/// <summary>What the stop rule says, and of which arm; empty: of none.</summary>
internal sealed record StopReadout(string State, string Arm, string Reason)
{
    /// <summary>Whether the experiment should end.</summary>
    public bool IsFound => State is not StopState.Collecting and not StopState.Invalid;
}

/// <summary>What the stop rule can say.</summary>
internal static class StopState
{
    /// <summary>The evidence does not suffice yet.</summary>
    public const string Collecting = "collecting";

    /// <summary>The read-out cannot be trusted.</summary>
    public const string Invalid = "invalid";

    /// <summary>An arm breaks a guardrail.</summary>
    public const string Harmful = "harmful";

    /// <summary>An arm is better than the control.</summary>
    public const string Better = "better";

    /// <summary>Every arm is worse than the control.</summary>
    public const string Worse = "worse";

    /// <summary>No arm is better by the minimum detectable effect.</summary>
    public const string NoEffect = "no_effect";

    /// <summary>A limit was reached before anything was found.</summary>
    public const string Inconclusive = "inconclusive";
}
