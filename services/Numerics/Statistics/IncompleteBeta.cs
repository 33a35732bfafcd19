namespace MlOps.Numerics.Statistics;

/// <summary>
/// The regularised incomplete beta function (Abramowitz and Stegun 26.5), relative error below 10⁻⁹ up to parameters of
/// a million.
/// </summary>
internal static class IncompleteBeta
{
    private const double Tiny = 1e-300;
    private const int MostTerms = 100_000;

    /// <summary>Iₓ(a, b) for a, b &gt; 0: the chance of a Beta(a, b) at most x.</summary>
    public static double Lower(double a, double b, double x) => x switch
    {
        <= 0 => 0,
        >= 1 => 1,
        // The fraction is quick below the mean; above it, its mirror image is.
        _ when x < (a + 1) / (a + b + 2) => Factor(a, b, x) * Fraction(a, b, x) / a,
        _ => 1 - Factor(b, a, 1 - x) * Fraction(b, a, 1 - x) / b,
    };

    /// <summary>xᵃ·(1 − x)ᵇ / B(a, b).</summary>
    private static double Factor(double a, double b, double x) => Math.Exp(
        IncompleteGamma.LogGamma(a + b) - IncompleteGamma.LogGamma(a) - IncompleteGamma.LogGamma(b)
        + a * Math.Log(x) + b * Math.Log(1 - x));

    /// <summary>The continued fraction 26.5.8 by the method of Lentz (1976).</summary>
    private static double Fraction(double a, double b, double x)
    {
        var c = 1.0;
        var d = 1 / Nonzero(1 - (a + b) * x / (a + 1));
        var result = d;
        for (var m = 1; m < MostTerms; m++)
        {
            var even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m));
            d = 1 / Nonzero(1 + even * d);
            c = Nonzero(1 + even / c);
            result *= d * c;
            var odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1));
            d = 1 / Nonzero(1 + odd * d);
            c = Nonzero(1 + odd / c);
            result *= d * c;
            if (Math.Abs(d * c - 1) < 1e-15)
                break;
        }

        return result;
    }

    private static double Nonzero(double value) => Math.Abs(value) < Tiny ? Tiny : value;
}
