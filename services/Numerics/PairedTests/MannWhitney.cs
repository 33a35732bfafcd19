using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.PairedTests;

/// <summary>
/// The U test of Mann and Whitney (1947) of two unpaired samples, with the values SciPy gives by <c>mannwhitneyu</c>: exact when
/// the smaller sample has at most 8 values and none are tied, else the normal approximation with the variance corrected
/// for ties and the continuity correction.
/// </summary>
public static class MannWhitney
{
    private const int LargestExact = 8;

    /// <summary>
    /// The statistic is the U of the first sample: its pairs with a smaller value of the second, ties counting half. Over
    /// n·m it estimates the chance that the first is the greater.
    /// </summary>
    /// <exception cref="ArgumentException">A sample is empty or has a value that is not finite.</exception>
    public static TestResult Test(
        ReadOnlySpan<double> first, ReadOnlySpan<double> second, Alternative alternative = Alternative.TwoSided)
    {
        if (first.IsEmpty || second.IsEmpty)
            throw new ArgumentException("Each sample needs a value.", first.IsEmpty ? nameof(first) : nameof(second));
        Samples.RequireFinite(first, nameof(first));
        Samples.RequireFinite(second, nameof(second));

        var (ranks, ties) = Ranks.Of([.. first, .. second]);
        double n = first.Length, m = second.Length;
        var u = ranks.Take(first.Length).Sum() - n * (n + 1) / 2;
        // Of the two U, the one whose large values speak for the alternative.
        var towards = alternative switch
        {
            Alternative.Greater => u,
            Alternative.Less => n * m - u,
            _ => Math.Max(u, n * m - u),
        };
        var tail = Math.Min(n, m) <= LargestExact && ties == 0
            ? ExactSurvival((int)Math.Round(towards), first.Length, second.Length)
            : Approximate(towards, n, m, ties);
        return new TestResult(u, Math.Clamp(alternative == Alternative.TwoSided ? 2 * tail : tail, 0, 1));
    }

    /// <summary>P(U ≥ u): of all ways to share out the ranks, each equally likely.</summary>
    private static double ExactSurvival(int u, int n, int m)
    {
        // Shares of the orders with each U, built value by value of the smaller sample.
        var (few, many) = (Math.Min(n, m), Math.Max(n, m));
        var shares = new double[n * m + 1];
        shares[0] = 1;
        for (var j = 1; j <= few; j++)
            Lengthen(shares, many, j);
        // U is symmetric, and the low end is made without subtracting what is nearly equal.
        return shares.Take(n * m - u + 1).Sum();
    }

    /// <summary>
    /// From j − 1 to j values beside n: the Gaussian binomial coefficient grows by (1 − x^(n+j))/(1 − x^j), its sum by
    /// (n + j)/j.
    /// </summary>
    private static void Lengthen(double[] shares, int n, int j)
    {
        for (var sum = shares.Length - 1; sum >= n + j; sum--)
            shares[sum] -= shares[sum - n - j];
        for (var sum = j; sum < shares.Length; sum++)
            shares[sum] += shares[sum - j];
        for (var sum = 0; sum < shares.Length; sum++)
            shares[sum] *= j / (double)(n + j);
    }

    private static double Approximate(double u, double n, double m, double ties)
    {
        var all = n + m;
        var deviation = Math.Sqrt(n * m / 12 * (all + 1 - ties / (all * (all - 1))));
        return deviation == 0 ? 1 : NormalDistribution.Survival((u - n * m / 2 - 0.5) / deviation);
    }
}
