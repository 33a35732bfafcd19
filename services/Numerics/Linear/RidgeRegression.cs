namespace MlOps.Numerics.Linear;

/// <summary>
/// Least squares with the penalty λ·Σβⱼ² (Hoerl and Kennard 1970), the intercept free: the normal equations of the
/// centred columns, in double, by Cholesky's factorisation. O(n·d² + d³).
/// </summary>
public static class RidgeRegression
{
    /// <param name="design">n × d, row-major, all finite.</param>
    /// <param name="labels">n, all finite.</param>
    /// <param name="width">d, at least 1.</param>
    /// <param name="penalty">λ, not negative. Above 0 there always is one solution.</param>
    /// <exception cref="ArgumentException">Sizes do not fit, there is no row, or a number is not finite.</exception>
    /// <exception cref="ArithmeticException">With λ = 0 the columns depend on each other.</exception>
    public static LinearModel Fit(
        ReadOnlySpan<double> design, ReadOnlySpan<double> labels, int width, double penalty)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(width, 1);
        ArgumentOutOfRangeException.ThrowIfNegative(penalty);
        if (labels.IsEmpty || design.Length != (long)labels.Length * width)
            throw new ArgumentException(
                $"{design.Length} cells are not {labels.Length} rows of {width}.", nameof(design));

        var means = new double[width];
        var labelMean = 0.0;
        for (var i = 0; i < labels.Length; i++)
        {
            labelMean += labels[i] / labels.Length;
            for (var j = 0; j < width; j++)
                means[j] += design[i * width + j] / labels.Length;
        }

        if (!double.IsFinite(labelMean) || !Array.TrueForAll(means, double.IsFinite))
            throw new ArgumentException("Every cell and label must be finite; impute what is missing.", nameof(design));

        var gram = new double[width * width];
        var moments = new double[width];
        var row = new double[width];
        for (var i = 0; i < labels.Length; i++)
        {
            for (var j = 0; j < width; j++)
                row[j] = design[i * width + j] - means[j];
            for (var j = 0; j < width; j++)
            {
                moments[j] += row[j] * (labels[i] - labelMean);
                for (var k = 0; k <= j; k++)
                    gram[j * width + k] += row[j] * row[k];
            }
        }

        for (var j = 0; j < width; j++)
            gram[j * width + j] += penalty;
        Cholesky.Solve(gram, moments, width);

        var intercept = labelMean;
        for (var j = 0; j < width; j++)
            intercept -= moments[j] * means[j];
        return new LinearModel(moments, intercept);
    }

    /// <inheritdoc cref="Fit(ReadOnlySpan{double}, ReadOnlySpan{double}, int, double)"/>
    public static LinearModel Fit(
        ReadOnlySpan<float> design, ReadOnlySpan<float> labels, int width, double penalty) =>
        Fit(Widen(design), Widen(labels), width, penalty);

    private static double[] Widen(ReadOnlySpan<float> narrow)
    {
        var wide = new double[narrow.Length];
        for (var i = 0; i < wide.Length; i++)
            wide[i] = narrow[i];
        return wide;
    }
}
