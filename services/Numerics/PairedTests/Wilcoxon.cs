using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.PairedTests;

/// <summary>What becomes of pairs without a difference.</summary>
public enum ZeroRule
{
    /// <summary>They are left out (Wilcoxon 1945).</summary>
    Drop,

    /// <summary>They take part in the ranking, and their ranks are left out (Pratt 1959, variance by Cureton 1967).</summary>
    Pratt,

    /// <summary>They take part in the ranking, and half of their ranks count for either side.</summary>
    Split,
}

/// <summary>
/// Wilcoxon's signed-rank test (1945) of differences about zero, with the values SciPy gives by <c>wilcoxon</c>: exact for up to
/// 50 differences without ties and zeros, else by the normal approximation without continuity correction.
/// </summary>
public static class Wilcoxon
{
    private const int LargestExact = 50;

    /// <summary>
    /// The statistic is the smaller rank sum, or, for a one-sided alternative, that of the differences above zero. Where
    /// nothing differs p is one. The differences are first less second, pair by pair; finite.
    /// </summary>
    /// <exception cref="ArgumentException">There is no difference, or one is not finite.</exception>
    public static TestResult SignedRank(
        ReadOnlySpan<double> differences, Alternative alternative = Alternative.TwoSided, ZeroRule zeros = ZeroRule.Drop)
    {
        if (differences.IsEmpty)
            throw new ArgumentException("There is no pair.", nameof(differences));
        Samples.RequireFinite(differences, nameof(differences));

        double[] kept = zeros == ZeroRule.Drop ? [.. differences.ToArray().Where(d => d != 0)] : differences.ToArray();
        var zero = kept.Count(d => d == 0);
        if (kept.Length == zero)
            return new TestResult(0, 1);

        var (ranks, ties) = Ranks.Of([.. kept.Select(Math.Abs)]);
        var sums = RankSums(kept, ranks, zeros);
        var isExact = differences.Length <= LargestExact && kept.Length == differences.Length && zero == 0 && ties == 0;
        var p = isExact
            ? Exact((int)sums.Above, kept.Length, alternative)
            : Approximate(sums, kept.Length, zero, zeros == ZeroRule.Pratt, ties, alternative);
        return new TestResult(alternative == Alternative.TwoSided ? Math.Min(sums.Above, sums.Below) : sums.Above, p);
    }

    private static (double Above, double Below) RankSums(double[] differences, double[] ranks, ZeroRule zeros)
    {
        var (above, below, none) = (0.0, 0.0, 0.0);
        for (var i = 0; i < ranks.Length; i++)
        {
            if (differences[i] > 0) above += ranks[i];
            else if (differences[i] < 0) below += ranks[i];
            else none += ranks[i];
        }

        return zeros == ZeroRule.Split ? (above + none / 2, below + none / 2) : (above, below);
    }

    /// <summary>From the number of sets of ranks 1…n with each sum, which are equally likely.</summary>
    private static double Exact(int above, int n, Alternative alternative)
    {
        var sets = new double[n * (n + 1) / 2 + 1];
        sets[0] = 1;
        for (var rank = 1; rank <= n; rank++)
            for (var sum = sets.Length - 1; sum >= rank; sum--)
                sets[sum] += sets[sum - rank];

        var all = Math.Pow(2, n);
        var atLeast = sets.Skip(above).Sum() / all;
        var atMost = sets.Take(above + 1).Sum() / all;
        return alternative switch
        {
            Alternative.Greater => atLeast,
            Alternative.Less => atMost,
            _ => Math.Min(1, 2 * Math.Min(atLeast, atMost)),
        };
    }

    private static double Approximate(
        (double Above, double Below) sums, double n, double zero, bool isPratt, double ties, Alternative alternative)
    {
        var mean = n * (n + 1) / 4;
        var variance = n * (n + 1) * (2 * n + 1);
        if (isPratt)
        {
            mean -= zero * (zero + 1) / 4;
            variance -= zero * (zero + 1) * (2 * zero + 1);
            ties -= zero * zero * zero - zero; // the zeros' own ranks are out
        }

        var z = (sums.Above - mean) / Math.Sqrt((variance - ties / 2) / 24);
        return alternative switch
        {
            Alternative.Greater => NormalDistribution.Survival(z),
            Alternative.Less => NormalDistribution.Cumulative(z),
            _ => 2 * NormalDistribution.Survival(Math.Abs(z)),
        };
    }
}
