namespace MlOps.Numerics.Metrics;

/// <summary>
/// Errors of predictions against labels, gathered one pair at a time in constant memory; all but the count are NaN
/// before the first pair. Not safe for concurrent use.
/// </summary>
public sealed class RegressionMetrics
{
    private double _squares;
    private double _absolutes;
    private double _errors;
    private double _labelMean;
    private double _labelSquares;

    /// <summary>Number of pairs.</summary>
    public long Count { get; private set; }

    /// <summary>Root of the mean squared error, in the label's unit.</summary>
    public double Rmse => Math.Sqrt(_squares / Count);

    /// <summary>Mean absolute error, in the label's unit.</summary>
    public double Mae => _absolutes / Count;

    /// <summary>Mean of prediction − label: positive when the model predicts too much.</summary>
    public double MeanError => _errors / Count;

    /// <summary>1 − Σ(y − ŷ)² / Σ(y − ȳ)²; NaN when all labels are equal.</summary>
    public double RSquared => _labelSquares > 0 ? 1 - _squares / _labelSquares : double.NaN;

    /// <summary>The figures of a whole sample.</summary>
    /// <exception cref="ArgumentException">The spans differ in length.</exception>
    public static RegressionMetrics Of(ReadOnlySpan<double> labels, ReadOnlySpan<double> predictions)
    {
        RequireSameLength(labels.Length, predictions.Length);
        var metrics = new RegressionMetrics();
        for (var i = 0; i < labels.Length; i++)
            metrics.Add(labels[i], predictions[i]);
        return metrics;
    }

    /// <inheritdoc cref="Of(ReadOnlySpan{double}, ReadOnlySpan{double})"/>
    public static RegressionMetrics Of(ReadOnlySpan<float> labels, ReadOnlySpan<float> predictions)
    {
        RequireSameLength(labels.Length, predictions.Length);
        var metrics = new RegressionMetrics();
        for (var i = 0; i < labels.Length; i++)
            metrics.Add(labels[i], predictions[i]);
        return metrics;
    }

    /// <summary>
    /// Takes one pair in; NaN in either makes every figure NaN. The label's variance follows Welford (1962).
    /// </summary>
    public void Add(double label, double prediction)
    {
        var error = prediction - label;
        Count++;
        _squares += error * error;
        _absolutes += Math.Abs(error);
        _errors += error;
        var fromMean = label - _labelMean;
        _labelMean += fromMean / Count;
        _labelSquares += fromMean * (label - _labelMean);
    }

    /// <summary>Takes in all pairs of <paramref name="other"/> (Chan, Golub and LeVeque 1979).</summary>
    public void Add(RegressionMetrics other)
    {
        if (other.Count == 0)
            return;

        var count = Count + other.Count;
        var apart = other._labelMean - _labelMean;
        _labelSquares += other._labelSquares + apart * apart * ((double)Count * other.Count / count);
        _labelMean += apart * other.Count / count;
        _squares += other._squares;
        _absolutes += other._absolutes;
        _errors += other._errors;
        Count = count;
    }

    private static void RequireSameLength(int labels, int predictions)
    {
        if (labels != predictions)
            throw new ArgumentException($"{labels} labels but {predictions} predictions.", nameof(predictions));
    }
}
