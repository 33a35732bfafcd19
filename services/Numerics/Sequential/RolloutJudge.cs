namespace MlOps.Numerics.Sequential;

/// <summary>
/// Judges a canary against the baseline that ran at the same time, at every look at once. The chance that a canary no worse
/// than the margins is ever found to break any of the rules is at most alpha: each rule breaks at alpha shared out equally
/// over all of them (Bonferroni; a rule against change in either direction takes two shares). The chance that one which
/// breaks a rule is ever found to keep all of them is at most alpha as well, each being kept at the whole of it, since
/// all must be (the intersection-union test, Berger 1982).
/// </summary>
public sealed class RolloutJudge(double alpha = 0.05, double tunedFor = 5_000)
{
    /// <summary>Of either arm, before anything is said: the intervals are asymptotic.</summary>
    public const int LeastObservations = 50;

    /// <summary>Of the events a share counts, before it is said to be too large.</summary>
    public const int LeastEvents = 20;

    private readonly ConfidenceSequence _whole = new(alpha, tunedFor);

    /// <summary>One verdict per rule, in their order; every stratum of a rule carries that rule's metric.</summary>
    public IReadOnlyList<MetricVerdict> Judge(IReadOnlyList<(MetricRule Rule, Stratum[] Strata)> metrics)
    {
        var shares = metrics.Sum(m => m.Rule.Direction == MetricDirection.NoChange ? 2 : 1);
        if (shares == 0)
            return [];
        var share = new ConfidenceSequence(alpha / shares, tunedFor);
        return [.. metrics.Select(m => JudgeOne(m.Rule, m.Strata, share, shares))];
    }

    private MetricVerdict JudgeOne(MetricRule rule, Stratum[] strata, ConfidenceSequence share, int shares)
    {
        var isGoal = rule.Aim == MetricAim.Goal;
        var seen = SeenArms.Of(strata, rule.Aim == MetricAim.Limit);
        var sides = RuleSide.Of(rule, seen, strata);
        // Bounds of the contrast: what breaks a rule at its share, what keeps it at the whole.
        var (below, above) = isGoal ? (_whole, share) : (share, _whole);
        double[] lows = [.. sides.Select(s => s.Contrast.Estimate - Width(below, s))];
        double[] highs = [.. sides.Select(s => s.Contrast.Estimate + Width(above, s))];

        var missing = Missing(rule, seen);
        var isBroken = missing == 0 && MissingEvents(rule, seen) == 0 && (isGoal ? highs[0] < 0 : lows.Any(l => l > 0));
        var isKept = missing == 0 && !isBroken && (isGoal ? lows[0] > 0 : highs.All(h => h < 0));
        var verdict = isBroken ? Verdict.Broken : isKept ? Verdict.Kept : Verdict.Inconclusive;

        double[] ends = [.. sides.Zip(lows, (s, l) => s.Difference(l)), .. sides.Zip(highs, (s, h) => s.Difference(h))];
        return new MetricVerdict(
            rule, verdict, seen.Baseline, seen.Canary, seen.BaselineCount, seen.CanaryCount,
            rule.Aim == MetricAim.Limit ? seen.Canary : seen.Canary - seen.Baseline, ends.Min(), ends.Max(), sides[0].Margin,
            isGoal ? PValue(_whole, sides[0]) : Math.Min(1, shares * sides.Min(s => PValue(share, s))),
            verdict == Verdict.Inconclusive ? MoreNeeded(rule, sides, seen, below, above) : 0);
    }

    private static double Width(ConfidenceSequence sequence, RuleSide side) =>
        sequence.OneSidedHalfWidth(side.Contrast.Observations, side.Contrast.StandardError);

    private static double PValue(ConfidenceSequence sequence, RuleSide side) =>
        sequence.OneSidedPValue(side.Contrast.Observations, side.Contrast.Estimate, side.Contrast.StandardError);

    /// <summary>Of the canary, at the present split, until both arms have the least number of observations.</summary>
    private static double Missing(MetricRule rule, SeenArms seen)
    {
        var ofCanary = Math.Max(0, LeastObservations - seen.CanaryCount);
        var ofBaseline = rule.Aim == MetricAim.Limit ? 0 : Math.Max(0, LeastObservations - seen.BaselineCount);
        return ofBaseline == 0 ? ofCanary
            : Math.Max(ofCanary, Math.Ceiling(ofBaseline * Math.Max(1, seen.CanaryCount) / Math.Max(1, seen.BaselineCount)));
    }

    /// <summary>NaN, no events are counted, is none missing.</summary>
    private static double MissingEvents(MetricRule rule, SeenArms seen)
    {
        var events = rule.Direction == MetricDirection.LowerIsBetter
            ? seen.CanaryEvents
            : Math.Max(seen.CanaryEvents, seen.BaselineEvents);
        return events < LeastEvents ? LeastEvents - events : 0;
    }

    private static double MoreNeeded(
        MetricRule rule, RuleSide[] sides, SeenArms seen, ConfidenceSequence below, ConfidenceSequence above)
    {
        // Of two sides the nearer one decides: it is the last to be kept and the first to be broken.
        var (estimate, error, n) = sides.MaxBy(s => s.Contrast.Estimate).Contrast;
        var missing = Missing(rule, seen);
        if (n == 0)
            return missing;
        var factor = SampleSize.Factor(estimate > 0 ? below : above, n, error, Math.Abs(estimate));
        var looksBroken = estimate > 0 != (rule.Aim == MetricAim.Goal);
        var forEvents = looksBroken ? Math.Ceiling(MissingEvents(rule, seen) / Math.Max(seen.Canary, 1 / (seen.CanaryCount + 1))) : 0;
        return Math.Max(Math.Max(missing, forEvents), Math.Ceiling(seen.CanaryCount * (factor - 1)));
    }
}
