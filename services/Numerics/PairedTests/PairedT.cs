using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.PairedTests;

/// <summary>Student's t test of differences about zero.</summary>
public static class PairedT
{
    /// <summary>
    /// t = mean/(s/√n) with n − 1 degrees of freedom. Differences that are all equal: p is one where they are zero, else
    /// t is infinite. The differences are first less second, pair by pair; finite, at least two.
    /// </summary>
    /// <exception cref="ArgumentException">There are fewer than two differences, or one is not finite.</exception>
    public static TestResult Test(ReadOnlySpan<double> differences, Alternative alternative = Alternative.TwoSided)
    {
        if (differences.Length < 2)
            throw new ArgumentException("At least two pairs are needed.", nameof(differences));
        Samples.RequireFinite(differences, nameof(differences));

        var (mean, squares) = (0.0, 0.0);
        for (var i = 0; i < differences.Length; i++)
        {
            var apart = differences[i] - mean;
            mean += apart / (i + 1);
            squares += apart * (differences[i] - mean);
        }

        return Of(differences.Length, mean, squares, alternative);
    }

    /// <summary>The same from sums: <paramref name="squares"/> is the sum of squared deviations from the mean.</summary>
    public static TestResult Of(long count, double mean, double squares, Alternative alternative = Alternative.TwoSided)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(count, 2);
        if (mean == 0 && squares == 0)
            return new TestResult(0, 1);
        double degrees = count - 1;
        var t = mean / Math.Sqrt(squares / degrees / count);
        var p = alternative switch
        {
            Alternative.Greater => StudentT.Survival(t, degrees),
            Alternative.Less => StudentT.Survival(-t, degrees),
            _ => 2 * StudentT.Survival(Math.Abs(t), degrees),
        };
        return new TestResult(t, p);
    }
}
