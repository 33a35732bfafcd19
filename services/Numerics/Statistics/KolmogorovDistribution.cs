namespace MlOps.Numerics.Statistics;

/// <summary>
/// The law of the two-sided one-sample Kolmogorov-Smirnov statistic for finite n. Which formula serves where is the
/// choice of Simard and L'Ecuyer, "Computing the two-sided Kolmogorov-Smirnov distribution", J. Stat. Software 39(11),
/// 2011.
/// </summary>
internal static class KolmogorovDistribution
{
    private const int SmallSample = 140;

    /// <summary>P(Dₙ ≥ d) for a sample of <paramref name="n"/> ≥ 1.</summary>
    public static double Survival(long n, double d)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(n, 1);
        var t = n * d;
        if (d >= 1)
            return 0;
        if (t <= 0.5)
            return 1;
        if (t <= 1) // Ruben and Gambino 1982: P(Dₙ < d) = n!·((2t − 1)/n)ⁿ
            return 1 - FactorialOverPower(n) * Math.Pow(2 * t - 1, n);
        if (t >= n - 1)
            return Math.Min(1, 2 * Math.Pow(1 - d, n));
        // From one half on, both one-sided statistics cannot be that large at once.
        if (d >= 0.5)
            return Math.Min(1, 2 * OneSided.Survival(n, d));

        var spread = t * d;
        if (n <= SmallSample)
            return spread switch
            {
                <= 0.754693 => Complement(DurbinMatrix.Cumulative(n, d)),
                <= 4 => Complement(PomeranzRecursion.Cumulative((int)n, d)),
                _ => Math.Min(1, 2 * OneSided.Survival(n, d)),
            };

        return spread switch
        {
            >= 370 => 0,
            >= 2.2 => Math.Min(1, 2 * OneSided.Survival(n, d)),
            _ when n <= 100_000 && n * Math.Pow(d, 1.5) <= 1.4 => Complement(DurbinMatrix.Cumulative(n, d)),
            _ => Complement(PelzGood.Cumulative(n, d)),
        };
    }

    /// <summary>n!/nⁿ, as a product while that stays in range, else by Stirling's series.</summary>
    public static double FactorialOverPower(long n)
    {
        if (n > SmallSample)
            return Math.Exp(0.5 * Math.Log(2 * Math.PI * n) - n + BinomialDensity.StirlingError(n));
        var product = 1.0;
        for (var i = 1; i <= n; i++)
            product *= (double)i / n;
        return product;
    }

    private static double Complement(double cumulative) => 1 - Math.Clamp(cumulative, 0, 1);
}
