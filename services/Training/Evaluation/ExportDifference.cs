namespace MlOps.Training.Evaluation;

/// <summary>How far a graph's predictions are from the trainer's.</summary>
/// <param name="Absolute">Largest |a − b|; 0 means equal to the bit but for the sign of zero.</param>
/// <param name="Relative">Largest |a − b| / max(1, |b|).</param>
internal readonly record struct ExportDifference(double Absolute, double Relative)
{
    /// <summary>Beyond this the graph is another model.</summary>
    internal const double MaxRelative = 1e-4;

    internal bool IsTolerable => Relative <= MaxRelative;

    /// <summary>NaN on one side alone counts as infinitely far.</summary>
    internal static ExportDifference Between(ReadOnlySpan<float> graph, ReadOnlySpan<float> trainer)
    {
        if (graph.Length != trainer.Length) throw new ArgumentException("One prediction per row is needed on both sides.");
        var (absolute, relative) = (0.0, 0.0);
        for (var row = 0; row < graph.Length; row++)
        {
            if (graph[row].Equals(trainer[row])) continue;
            var difference = Math.Abs((double)graph[row] - trainer[row]);
            if (double.IsNaN(difference)) return new(double.PositiveInfinity, double.PositiveInfinity);
            absolute = Math.Max(absolute, difference);
            relative = Math.Max(relative, difference / Math.Max(1, Math.Abs((double)trainer[row])));
        }
        return new(absolute, relative);
    }
}
