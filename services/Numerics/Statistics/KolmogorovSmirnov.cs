namespace MlOps.Numerics.Statistics;

/// <summary>
/// The two-sided two-sample Kolmogorov-Smirnov test, with the p-value SciPy 1.10 gives by <c>ks_2samp</c>:
/// exact when both samples have at most 10,000 values, else from the one-sample law at n·m/(n+m).
/// </summary>
public static class KolmogorovSmirnov
{
    private const long LargestExact = 10_000;

    /// <inheritdoc cref="TwoSample(EmpiricalDistribution, EmpiricalDistribution)"/>
    public static TestResult TwoSample(ReadOnlySpan<double> a, ReadOnlySpan<double> b) =>
        TwoSample(EmpiricalDistribution.FromSamples(a), EmpiricalDistribution.FromSamples(b));

    /// <summary>
    /// Largest distance of the two empirical distribution functions, and its p-value; ties are allowed.
    /// </summary>
    /// <exception cref="ArgumentException">A sample has no finite value.</exception>
    public static TestResult TwoSample(EmpiricalDistribution a, EmpiricalDistribution b)
    {
        if (a.Total == 0 || b.Total == 0)
            throw new ArgumentException(
                "Each sample needs at least one finite value.", a.Total == 0 ? nameof(a) : nameof(b));

        if (Math.Max(a.Total, b.Total) > LargestExact)
        {
            var statistic = LargestGap(a, b);
            return new TestResult(statistic, Asymptotic(a.Total, b.Total, statistic));
        }

        // In whole steps of 1/lcm the statistic is exact, and so is the comparison of a path with it.
        var divisor = GreatestCommonDivisor(a.Total, b.Total);
        var lcm = a.Total / divisor * b.Total;
        var gap = LargestGapInSteps(a, b) / divisor;
        var d = (double)gap / lcm;
        if (gap == 0)
            return new TestResult(d, 1);
        if (RoundsToZero(a.Total, b.Total, d))
            return new TestResult(d, 0);

        var p = a.Total == b.Total
            ? LatticePaths.ShareOutsideSquare(a.Total, gap)
            : LatticePaths.ShareOutside(a.Total, b.Total, divisor, gap);
        return new TestResult(d, p is >= 0 and <= 1 ? p : Asymptotic(a.Total, b.Total, d));
    }

    /// <summary>
    /// p is at most about e·exp(−2·d²·n·m/(n + m)) (Wei and Dudley 2012), and the least double is above exp(−745): with a
    /// wide margin this spares the longest walks, whose result would be 0 anyway.
    /// </summary>
    private static bool RoundsToZero(double n, double m, double d) => 2 * d * d * (n * m / (n + m)) > 800;

    private static double Asymptotic(double n, double m, double statistic)
    {
        var (larger, smaller) = (Math.Max(n, m), Math.Min(n, m));
        var effective = (long)Math.Round(larger * smaller / (larger + smaller), MidpointRounding.ToEven);
        return Math.Clamp(KolmogorovDistribution.Survival(effective, statistic), 0, 1);
    }

    private static double LargestGap(EmpiricalDistribution a, EmpiricalDistribution b)
    {
        var gap = 0.0;
        foreach (var (below, belowOther) in new CumulativePairs(a, b))
            gap = Math.Max(gap, Math.Abs((double)below / a.Total - (double)belowOther / b.Total));
        return gap;
    }

    private static long LargestGapInSteps(EmpiricalDistribution a, EmpiricalDistribution b)
    {
        var gap = 0L;
        foreach (var (below, belowOther) in new CumulativePairs(a, b))
            gap = Math.Max(gap, Math.Abs(below * b.Total - belowOther * a.Total));
        return gap;
    }

    private static long GreatestCommonDivisor(long a, long b) => b == 0 ? a : GreatestCommonDivisor(b, a % b);
}
