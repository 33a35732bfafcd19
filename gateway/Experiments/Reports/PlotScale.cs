using System.Globalization;

namespace MlOps.Gateway.Experiments.Reports;

/// <summary>A linear scale that holds all its values, with a few round ticks.</summary>
internal sealed class PlotScale
{
    public const double Width = 400;
    private const double Margin = 14;
    private readonly double _low;
    private readonly double _high;

    public PlotScale(IEnumerable<double?> values)
    {
        double[] known = [.. values.OfType<double>().Where(double.IsFinite)];
        var (low, high) = known.Length == 0 ? (0.0, 1.0) : (known.Min(), known.Max());
        // A point has a neighbourhood.
        if (!(high > low)) (low, high) = (low - Math.Max(1e-6, Math.Abs(low) * 0.1), high + Math.Max(1e-6, Math.Abs(high) * 0.1));
        (_low, _high) = (low, high);
        Ticks = [.. TicksOf(low, high)];
    }

    public IReadOnlyList<double> Ticks { get; }

    /// <summary>The place of a value; what lies beyond an end is at that end.</summary>
    public double X(double value) => Margin + (Width - 2 * Margin) * Math.Clamp((value - _low) / (_high - _low), 0, 1);

    /// <summary>As SVG has it.</summary>
    public string At(double value) => X(value).ToString("0.#", CultureInfo.InvariantCulture);

    private static IEnumerable<double> TicksOf(double low, double high)
    {
        var rough = (high - low) / 4;
        var power = Math.Pow(10, Math.Floor(Math.Log10(rough)));
        var step = power * (rough / power) switch { < 1.5 => 1, < 3.5 => 2, < 7.5 => 5, _ => 10 };
        for (var i = Math.Ceiling(low / step); i * step <= high + step * 1e-9; i++) yield return i * step;
    }
}
