using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.PairedTests;

/// <summary>
/// McNemar's test (1947) of two classifiers on the same cases: only the cases count that one got right and the other
/// wrong. Two-sided; without such cases p is one.
/// </summary>
public static class McNemar
{
    /// <summary>The binomial test of the smaller count; its size is at most the level, for any number of cases.</summary>
    /// <param name="onlyFirst">Cases only the first got right.</param>
    /// <param name="onlySecond">Cases only the second got right.</param>
    public static TestResult Exact(long onlyFirst, long onlySecond)
    {
        var (least, total) = Discordant(onlyFirst, onlySecond);
        return new TestResult(least, Math.Min(1, 2 * Tail(least, total)));
    }

    /// <summary>
    /// The exact p less the chance of just what was seen: nearer to the level and all but never above it (Fagerland,
    /// Lydersen and Laake 2013), which recommend it over the other forms.
    /// </summary>
    /// <inheritdoc cref="Exact"/>
    public static TestResult MidP(long onlyFirst, long onlySecond)
    {
        var (least, total) = Discordant(onlyFirst, onlySecond);
        if (onlyFirst == onlySecond)
            return new TestResult(least, total == 0 ? 1 : 1 - Probability(least, total) / 2);
        return new TestResult(least, Math.Min(1, 2 * Tail(least, total) - Probability(least, total)));
    }

    /// <summary>(b − c)²/(b + c) against chi-square of one degree; Edwards' correction (1948) takes 1 off the difference.</summary>
    /// <inheritdoc cref="Exact"/>
    public static TestResult ChiSquare(long onlyFirst, long onlySecond, bool isCorrected = true)
    {
        var (_, total) = Discordant(onlyFirst, onlySecond);
        if (total == 0)
            return new TestResult(0, 1);
        double apart = Math.Abs(onlyFirst - onlySecond) - (isCorrected ? 1 : 0);
        var statistic = apart * apart / total;
        return new TestResult(statistic, IncompleteGamma.Upper(0.5, statistic / 2));
    }

    private static (long Least, long Total) Discordant(long onlyFirst, long onlySecond)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(onlyFirst);
        ArgumentOutOfRangeException.ThrowIfNegative(onlySecond);
        return (Math.Min(onlyFirst, onlySecond), onlyFirst + onlySecond);
    }

    /// <summary>P(X ≤ x) for X binomial of n fair coins, as a beta probability (Abramowitz and Stegun 26.5.24).</summary>
    private static double Tail(long x, long n) => x >= n ? 1 : IncompleteBeta.Lower(n - x, x + 1, 0.5);

    private static double Probability(long x, long n) => x == n ? 1 : BinomialDensity.At(x, n, n / 2.0);
}
