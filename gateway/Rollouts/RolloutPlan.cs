namespace MlOps.Gateway.Rollouts;

/// <summary>How a version is to be rolled out: in which steps, by which rules, and who is asked on the way.</summary>
internal sealed record RolloutPlan
{
    public IReadOnlyList<RolloutStep> Steps { get; init; } = [];

    public IReadOnlyList<RolloutRule> Rules { get; init; } = [];

    public IReadOnlyList<RolloutHook> Hooks { get; init; } = [];

    /// <summary>When the evidence is not there by the deadline: <c>wait</c>, <c>widen</c> the traffic, or <c>stop</c> and go back.</summary>
    public string OnInconclusive { get; init; } = "widen";

    /// <summary>Least time of an analysis, in seconds, however soon the evidence is there.</summary>
    public double MinimumStepSeconds { get; init; } = 30;

    /// <summary>From the start of a step, in seconds, until it counts as stuck.</summary>
    public double ProgressDeadlineSeconds { get; init; } = 600;

    /// <summary>Chance of a false rollback, and of a false promotion, over the whole rollout.</summary>
    public double Alpha { get; init; } = 0.05;

    /// <summary>1, 5, 10, 25 and 50 % of the subjects, each until the evidence is there; promotion is the rest.</summary>
    public static IReadOnlyList<RolloutStep> DefaultSteps { get; } =
    [
        .. new[] { 0.01, 0.05, 0.10, 0.25, 0.50 }.SelectMany(weight => new[]
        {
            new RolloutStep { SetWeight = weight }, new RolloutStep { Analysis = new AnalysisStep() },
        }),
    ];

    /// <summary>
    /// At most one more failure, and two more slow answers, in a hundred; the error against labels is watched, and no worse than
    /// by a tenth.
    /// </summary>
    public static IReadOnlyList<RolloutRule> DefaultRules { get; } =
    [
        new() { Metric = RolloutMetric.Errors, Absolute = 0.01 },
        new() { Metric = RolloutMetric.Latency, Absolute = 0.02 },
        new() { Metric = RolloutMetric.SquaredError, Relative = 0.10, Watch = true },
    ];

    /// <summary>No steps or rules are the default ones.</summary>
    public RolloutPlan WithDefaults() => this with
    {
        Steps = Steps.Count > 0 ? Steps : DefaultSteps,
        Rules = Rules.Count > 0 ? Rules : DefaultRules,
    };
}

/// <summary>One of these.</summary>
internal sealed record RolloutStep
{
    /// <summary>Share of the subjects that meet the new version, 0 to 1.</summary>
    public double? SetWeight { get; init; }

    /// <summary>Share of each arm's range in use, 0 to 1; the others stay on the stable version and are not compared.</summary>
    public double? SetCoverage { get; init; }

    public PauseStep? Pause { get; init; }

    public AnalysisStep? Analysis { get; init; }

    public ShadowStep? Shadow { get; init; }
}

/// <summary>Waits this long, in seconds; without a time, until somebody resumes.</summary>
internal sealed record PauseStep(double? Seconds = null);

/// <summary>Waits for the evidence, and at least this long, in seconds; without a time, as the plan says.</summary>
internal sealed record AnalysisStep(double? Seconds = null);

/// <summary>Waits until this many requests were answered by the new version beside the stable one, unseen by the callers.</summary>
/// <param name="Samples">Copies that the version answered or failed.</param>
/// <param name="Rate">Share of the requests that is copied, above 0 to 1.</param>
/// <param name="MaxFailureShare">The greatest share of copies it may fail where the live version answered.</param>
/// <param name="MaxDifference">The greatest mean of |shadow − live|; null: any.</param>
internal sealed record ShadowStep(long Samples, double Rate = 1, double MaxFailureShare = 0.01, double? MaxDifference = null);

/// <summary>What the new version must keep; see <see cref="MlOps.Numerics.Sequential.MetricRule"/>.</summary>
internal sealed record RolloutRule
{
    public string Metric { get; init; } = "";

    /// <summary><c>guardrail</c>: not worse; <c>goal</c>: better; <c>limit</c>: not above.</summary>
    public string Aim { get; init; } = "guardrail";

    /// <summary><c>lower</c> or <c>higher</c> is better, or <c>none</c>: no change is. Empty: lower, for predictions none.</summary>
    public string Direction { get; init; } = "";

    /// <summary>Margin in the metric's own units; of a limit, the limit.</summary>
    public double Absolute { get; init; }

    /// <summary>Margin as a share of the baseline, added to the other.</summary>
    public double Relative { get; init; }

    /// <summary>Can fail the rollout, and is never waited for.</summary>
    public bool Watch { get; init; }

    /// <summary>Of latency: what is slow, in milliseconds, rounded up to a bucket. Null: the baseline's 99th percentile at the start.</summary>
    public double? ThresholdMs { get; init; }
}

/// <summary>What can be asked of a version.</summary>
internal static class RolloutMetric
{
    /// <summary>Share of requests without a successful answer.</summary>
    public const string Errors = "errors";

    /// <summary>Share of requests slower than a threshold.</summary>
    public const string Latency = "latency";

    /// <summary>Mean of the predictions.</summary>
    public const string Prediction = "prediction";

    /// <summary>Share of requests whose inputs the guard noticed something of.</summary>
    public const string Flagged = "flagged";

    /// <summary>Mean of (prediction − label)².</summary>
    public const string SquaredError = "squared_error";

    /// <summary>Mean of |prediction − label|.</summary>
    public const string AbsoluteError = "absolute_error";

    public static IReadOnlyList<string> All { get; } = [Errors, Latency, Prediction, Flagged, SquaredError, AbsoluteError];

    /// <summary>Known to Monitoring alone.</summary>
    public static bool IsLogged(string metric) => metric is not (Errors or Latency);

    /// <summary>Known when the labels have come, and so not waited for on the way.</summary>
    public static bool NeedsLabels(string metric) => metric is SquaredError or AbsoluteError;
}

/// <summary>Somebody who is asked, or told, over HTTP.</summary>
internal sealed record RolloutHook
{
    /// <summary>When; see <see cref="HookType"/>.</summary>
    public string Type { get; init; } = "";

    public string Name { get; init; } = "";

    public string Url { get; init; } = "";

    public double TimeoutSeconds { get; init; } = 10;

    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();
}

/// <summary>Flagger's hooks.</summary>
internal static class HookType
{
    /// <summary>Before anything happens; blocks.</summary>
    public const string ConfirmRollout = "confirm-rollout";

    /// <summary>Before the first subject; blocks, and fails the rollout at the deadline.</summary>
    public const string PreRollout = "pre-rollout";

    /// <summary>At every analysis; blocks it.</summary>
    public const string Rollout = "rollout";

    /// <summary>Before each greater weight; blocks.</summary>
    public const string ConfirmTrafficIncrease = "confirm-traffic-increase";

    /// <summary>Before the promotion; blocks.</summary>
    public const string ConfirmPromotion = "confirm-promotion";

    /// <summary>When all is over, whichever way.</summary>
    public const string PostRollout = "post-rollout";

    /// <summary>Asked all the time: a success rolls back.</summary>
    public const string Rollback = "rollback";

    /// <summary>Told of everything that happens.</summary>
    public const string Event = "event";

    public static IReadOnlyList<string> All { get; } =
        [ConfirmRollout, PreRollout, Rollout, ConfirmTrafficIncrease, ConfirmPromotion, PostRollout, Rollback, Event];
}
