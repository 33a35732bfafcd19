namespace MlOps.Numerics.Statistics;

/// <summary>The binomial probability in Loader's saddle-point form (2000), full precision however large n is.</summary>
internal static class BinomialDensity
{
    private static readonly double[] SmallStirlingErrors = MakeSmallStirlingErrors();

    /// <summary>
    /// P(X = x) for X binomial with mean <paramref name="mean"/> = n·p, 0 &lt; mean &lt; n, and 0 ≤ x &lt; n.
    /// </summary>
    public static double At(long x, long n, double mean)
    {
        if (x == 0)
            return Math.Exp(n * LogOnePlus(-mean / n));

        var rest = n - x;
        var exponent = StirlingError(n) - StirlingError(x) - StirlingError(rest)
            - Deviance(x, mean) - Deviance(rest, n - mean);
        return Math.Exp(exponent) * Math.Sqrt(n / (2 * Math.PI * x * rest));
    }

    /// <summary>ln n! − ln(√(2πn)·(n/e)ⁿ).</summary>
    public static double StirlingError(long n)
    {
        if (n < SmallStirlingErrors.Length)
            return SmallStirlingErrors[n];
        var square = (double)n * n;
        var tail = 1 / 1260.0 - (1 / 1680.0 - 1 / 1188.0 / square) / square;
        return (1 / 12.0 - (1 / 360.0 - tail / square) / square) / n;
    }

    /// <summary>x·ln(x/m) + m − x, by its series where the three parts would cancel.</summary>
    private static double Deviance(double x, double m)
    {
        if (Math.Abs(x - m) >= 0.1 * (x + m))
            return x * Math.Log(x / m) + m - x;

        // With v = (x − m)/(x + m): (x − m)·v + 2x·Σ v^(2i+1)/(2i+1), i ≥ 1
        var v = (x - m) / (x + m);
        var sum = (x - m) * v;
        var power = 2 * x * v;
        for (var i = 1; ; i++)
        {
            power *= v * v;
            var next = sum + power / (2 * i + 1);
            if (next == sum)
                return sum;
            sum = next;
        }
    }

    private static double LogOnePlus(double x)
    {
        var sum = 1 + x;
        return Math.Log(sum) + (x - (sum - 1)) / sum; // the second part is what rounding the sum lost
    }

    private static double[] MakeSmallStirlingErrors()
    {
        var errors = new double[16];
        var factorial = 1.0;
        for (var n = 1; n < errors.Length; n++)
        {
            factorial *= n;
            errors[n] = Math.Log(factorial) - 0.5 * Math.Log(2 * Math.PI * n) - n * Math.Log(n) + n;
        }

        return errors;
    }
}
