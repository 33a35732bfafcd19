using MlOps.Gateway.Splits;

namespace MlOps.Gateway.Experiments;

/// <summary>
/// What an experiment asks and how: the first arm is the control, all are compared with it. Without arms it adopts those of the
/// traffic policy in force when it starts, with salt, coverage, layer and subjects.
/// </summary>
internal sealed record ExperimentPlan(ExperimentMetric Primary)
{
    public string Hypothesis { get; init; } = "";

    public IReadOnlyList<PolicyArm> Arms { get; init; } = [];

    /// <summary>Seed of the assignment hash; empty: the experiment's name, so that it draws its own subjects.</summary>
    public string Salt { get; init; } = "";

    /// <summary>Share, 0 to 1, of each arm's range in use.</summary>
    public double Coverage { get; init; } = 1;

    public string SubjectHeader { get; init; } = "";

    public string SubjectInput { get; init; } = "";

    public string SubjectJson { get; init; } = "";

    public PolicyLayer? Layer { get; init; }

    /// <summary>What must not get worse by more than its margin.</summary>
    public IReadOnlyList<ExperimentMetric> Guardrails { get; init; } = [];

    /// <summary>Model inputs by whose values the primary metric is shown apart.</summary>
    public IReadOnlyList<string> Segments { get; init; } = [];

    /// <summary>Chance of ever finding a difference where there is none, over all looks and arms together.</summary>
    public double Alpha { get; init; } = 0.05;

    /// <summary>Chance of finding the minimum detectable effect, for the number of subjects that is said to be needed.</summary>
    public double Power { get; init; } = 0.8;

    /// <summary>Subjects, of both arms compared, at which the intervals are tightest.</summary>
    public double TunedFor { get; init; } = 5_000;

    /// <summary>How long after its first request outcomes of a subject count; 0: until the experiment ends.</summary>
    public long AttributionSeconds { get; init; }

    public StopRule Stop { get; init; } = new();

    /// <summary>Null: the weights stay as they are.</summary>
    public ThompsonPlan? Thompson { get; init; }
}

/// <summary>
/// A number per subject and what is asked of it. Absolute + relative·|the control's mean| is, of the primary metric, the least
/// effect worth finding; of a guardrail, how much worse it may get.
/// </summary>
/// <param name="Name">Unique in the experiment.</param>
/// <param name="Kind">One of <see cref="MetricKind"/>'s.</param>
/// <param name="Outcome">Of the kinds of outcomes: its name as submitted.</param>
/// <param name="Direction">What is better: <c>higher</c> or <c>lower</c>.</param>
/// <param name="Absolute">In the metric's unit, not negative.</param>
/// <param name="Relative">Share of the control's mean, not negative.</param>
internal sealed record ExperimentMetric(
    string Name, string Kind, string Outcome, string Direction, double Absolute, double Relative);

/// <summary>When an experiment has run long enough.</summary>
internal sealed record StopRule
{
    /// <summary>Whether it ends by itself when the rule says so; otherwise the read-out says it and a person ends it.</summary>
    public bool IsAutomatic { get; init; }

    /// <summary>Of every arm, before anything is found of the primary metric.</summary>
    public long MinSubjects { get; init; } = 100;

    /// <summary>
    /// Before anything but harm is found: outcomes that come late, and weeks that have weekends, want their time.
    /// </summary>
    public long MinSeconds { get; init; }

    /// <summary>Of all arms together; 0: no limit.</summary>
    public long MaxSubjects { get; init; }

    /// <summary>0: no limit.</summary>
    public long MaxSeconds { get; init; }
}

/// <summary>
/// Weights that follow the results: at every interval each arm gets the chance of its being the best, and no less than the floor.
/// Every interval assigns its subjects anew, so that the chance of each assignment is known.
/// </summary>
internal sealed record ThompsonPlan(long IntervalSeconds, double Floor);

/// <summary>What a metric is made of; see <c>UnitMetricKind</c> of <c>mlops.monitoring.v1</c>.</summary>
internal static class MetricKind
{
    public const string ErrorRate = "error_rate";

    /// <summary>In milliseconds.</summary>
    public const string Latency = "latency";
    public const string Prediction = "prediction";
    public const string Label = "label";
    public const string AbsoluteError = "absolute_error";
    public const string SquaredError = "squared_error";
    public const string OutcomeTotal = "outcome_total";
    public const string OutcomeShare = "outcome_share";
    public const string OutcomeMean = "outcome_mean";

    public static IReadOnlyList<string> All { get; } =
        [ErrorRate, Latency, Prediction, Label, AbsoluteError, SquaredError, OutcomeTotal, OutcomeShare, OutcomeMean];

    public static bool IsOutcome(string kind) => kind is OutcomeTotal or OutcomeShare or OutcomeMean;

    public static bool IsShare(string kind) => kind is ErrorRate or OutcomeShare;

    /// <summary>Every subject counts once, so that its estimate over all traffic is unbiased.</summary>
    public static bool IsPerSubject(string kind) => kind is OutcomeTotal or OutcomeShare;
}
