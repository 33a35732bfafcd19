namespace MlOps.Numerics.Statistics;

/// <summary>What a test of samples asks of them.</summary>
internal static class Samples
{
    /// <exception cref="ArgumentException">A value is NaN or infinite.</exception>
    public static void RequireFinite(ReadOnlySpan<double> sample, string name)
    {
        foreach (var value in sample)
            if (!double.IsFinite(value))
                throw new ArgumentException("Every value must be finite.", name);
    }
}
