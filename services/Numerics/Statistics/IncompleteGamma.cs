namespace MlOps.Numerics.Statistics;

/// <summary>
/// The regularised incomplete gamma function (Abramowitz and Stegun 6.5), relative error below 10⁻¹⁰.
/// </summary>
internal static class IncompleteGamma
{
    private const double Tiny = 1e-300;
    private const int MostTerms = 100_000;

    /// <summary>
    /// Q(a, x) = Γ(a, x)/Γ(a) for a &gt; 0, x ≥ 0: the chance of a chi-square of 2a degrees above 2x.
    /// </summary>
    public static double Upper(double a, double x)
    {
        if (x <= 0)
            return 1;
        var factor = Math.Exp(a * Math.Log(x) - x - LogGamma(a));
        return x < a + 1 ? 1 - factor * LowerSeries(a, x) : factor * UpperFraction(a, x);
    }

    /// <summary>Σ xⁿ / (a·(a + 1)…(a + n)), n ≥ 0.</summary>
    private static double LowerSeries(double a, double x)
    {
        var term = 1 / a;
        var sum = term;
        for (var n = 1; n < MostTerms && term > sum * 1e-17; n++)
            sum += term *= x / (a + n);
        return sum;
    }

    /// <summary>
    /// The continued fraction 1/(x + 1 − a − 1·(1 − a)/(x + 3 − a − …)) by the method of Lentz (1976).
    /// </summary>
    private static double UpperFraction(double a, double x)
    {
        var b = x + 1 - a;
        var c = 1 / Tiny;
        var d = 1 / b;
        var result = d;
        for (var n = 1; n < MostTerms; n++)
        {
            var numerator = n * (a - n);
            b += 2;
            d = 1 / Nonzero(b + numerator * d);
            c = Nonzero(b + numerator / c);
            result *= d * c;
            if (Math.Abs(d * c - 1) < 1e-16)
                break;
        }

        return result;
    }

    private static double Nonzero(double value) => Math.Abs(value) < Tiny ? Tiny : value;

    /// <summary>ln Γ(a) by Stirling's series, from 16 on; below that by Γ(a + 1) = a·Γ(a).</summary>
    public static double LogGamma(double a)
    {
        var product = 1.0;
        for (; a < 16; a++)
            product *= a;
        var square = a * a;
        var series = (1 / 12.0 - (1 / 360.0 - (1 / 1260.0 - 1 / 1680.0 / square) / square) / square) / a;
        return (a - 0.5) * Math.Log(a) - a + 0.5 * Math.Log(2 * Math.PI) + series - Math.Log(product);
    }
}
