namespace MlOps.Numerics.Sequential;

/// <summary>What a rule asks of the canary.</summary>
public enum MetricAim
{
    /// <summary>It must not be worse than the baseline by more than the margin.</summary>
    Guardrail,

    /// <summary>It must be better than the baseline by more than the margin.</summary>
    Goal,

    /// <summary>It must not be above the margin, or below it where higher is better; the baseline does not matter.</summary>
    Limit,
}

/// <summary>Which change of a metric is for the worse.</summary>
public enum MetricDirection
{
    LowerIsBetter,
    HigherIsBetter,

    /// <summary>Any change is; for guardrails only.</summary>
    NoChange,
}

/// <summary>
/// One rule of a rollout. The margin is <paramref name="Absolute"/> + <paramref name="Relative"/>·baseline, neither negative
/// (for a limit <paramref name="Absolute"/> is the limit, of any sign). A rule that only watches can fail the rollout and is
/// never waited for.
/// </summary>
public sealed record MetricRule(
    string Name, MetricAim Aim, MetricDirection Direction, double Absolute, double Relative = 0, bool OnlyWatches = false);
