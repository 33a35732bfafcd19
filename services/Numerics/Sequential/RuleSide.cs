namespace MlOps.Numerics.Sequential;

/// <summary>
/// A rule as one contrast: above zero just where a guardrail or limit is broken, or a goal is reached. As a difference of
/// the means again it is sign·contrast + margin.
/// </summary>
internal readonly record struct RuleSide(Contrast Contrast, double Sign, double Margin)
{
    public static RuleSide[] Of(MetricRule rule, SeenArms seen, ReadOnlySpan<Stratum> strata)
    {
        var sign = rule.Direction == MetricDirection.HigherIsBetter ? -1 : 1;
        // A relative margin is a share of the baseline's size, whatever its sign.
        var relative = seen.Baseline < 0 ? -rule.Relative : rule.Relative;
        var margin = rule.Absolute + relative * seen.Baseline;
        return rule switch
        {
            { Aim: MetricAim.Limit } => [new(Contrast.Of(strata, sign, 0, sign * rule.Absolute), sign, rule.Absolute)],
            { Aim: MetricAim.Goal } =>
                [new(Contrast.Of(strata, -sign, sign - relative, rule.Absolute), -sign, -sign * margin)],
            { Direction: MetricDirection.NoChange } =>
            [
                new(Contrast.Of(strata, 1, -1 - relative, rule.Absolute), 1, margin),
                new(Contrast.Of(strata, -1, 1 - relative, rule.Absolute), -1, -margin),
            ],
            _ => [new(Contrast.Of(strata, sign, -sign - relative, rule.Absolute), sign, sign * margin)],
        };
    }

    /// <summary>The difference where the contrast has this value.</summary>
    public double Difference(double contrast) => Sign * contrast + Margin;
}
