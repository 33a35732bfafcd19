namespace MlOps.Numerics.Sequential;

/// <summary>What the evidence says of a rule so far.</summary>
public enum Verdict
{
    Inconclusive,

    /// <summary>The canary keeps the rule, at the level of the judge.</summary>
    Kept,

    /// <summary>The canary breaks the rule, at its share of the level.</summary>
    Broken,
}

/// <summary>
/// A rule judged. <paramref name="Difference"/> is canary − baseline over the strata (for a limit: the canary itself),
/// <paramref name="Lower"/> and <paramref name="Upper"/> bound it at every look at once, and <paramref name="Margin"/> is
/// the difference the rule allows (a goal: asks for; either way, where no change is allowed). <paramref name="PValue"/> is
/// always valid: of "the rule is kept", corrected for all rules, or for a goal of "it is not reached".
/// <paramref name="MoreNeeded"/> is how many more observations of the canary decide, the split, the estimate and the
/// variance staying as they are: 0 when decided, infinite when none do.
/// </summary>
public sealed record MetricVerdict(
    MetricRule Rule, Verdict Verdict, double Baseline, double Canary, double BaselineCount, double CanaryCount,
    double Difference, double Lower, double Upper, double Margin, double PValue, double MoreNeeded);
