using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Sequential;

/// <summary>
/// A metric over the observations of one arm: their count, mean, and the variance of that mean, which takes into account
/// that observations of one subject resemble each other. For a share, the events are those that count; NaN for other means.
/// </summary>
public readonly record struct ArmMoments(double Count, double Mean, double MeanVariance, double Events = double.NaN)
{
    /// <summary>
    /// The share of observations that are events, from counts per slice, each subject being in one slice. The variance is
    /// the greater of two: the binomial one at (x + 2)/(n + 4), as suits few events (Agresti and Coull 1998), and that of
    /// the ratio over the slices (Cochran 1977, "Sampling techniques", 6.3), by which a subject with many requests counts
    /// as one piece of evidence and not as many.
    /// </summary>
    /// <param name="counts">Observations per slice.</param>
    /// <param name="events">Parallel to <paramref name="counts"/>; at most as many.</param>
    public static ArmMoments OfShare(ReadOnlySpan<long> counts, ReadOnlySpan<long> events)
    {
        var (n, x) = (0.0, 0.0);
        for (var i = 0; i < counts.Length; i++)
        {
            n += counts[i];
            x += events[i];
        }

        if (n == 0)
            return default(ArmMoments) with { Events = 0 };
        var mean = x / n;
        var smooth = (x + 2) / (n + 4);
        var between = new CompensatedSum();
        for (var i = 0; i < counts.Length; i++)
        {
            var apart = events[i] - mean * counts[i];
            between.Add(apart * apart);
        }

        var bySlices = counts.Length > 1 ? between.Value * counts.Length / (counts.Length - 1.0) / (n * n) : 0;
        return new ArmMoments(n, mean, Math.Max(smooth * (1 - smooth) / n, bySlices), x);
    }

    /// <summary>
    /// A mean from its sum of squared deviations, where <paramref name="clustered"/> is the sum over subjects of the squared
    /// sum of their deviations, equal to <paramref name="squares"/> when each subject was observed once.
    /// </summary>
    public static ArmMoments OfMean(long count, double mean, double squares, double clustered)
    {
        if (count < 2)
            return new ArmMoments(count, count == 0 ? 0 : mean, 0);
        return new ArmMoments(count, mean, Math.Max(squares, clustered) / count / (count - 1));
    }
}
