using System.Globalization;
using System.Net;

namespace MlOps.Gateway.Experiments.Reports;

/// <summary>Intervals as inline SVG, one row of a table each, on a scale they share.</summary>
internal static class IntervalPlot
{
    private const int Height = 30;

    /// <summary>
    /// A row: the interval as a bar, the estimate as a point, and lines at the marks (zero is drawn full, the others dashed). The tone
    /// is a class of the page: good, bad or open.
    /// </summary>
    public static string Row(PlotScale scale, double? estimate, double? low, double? high, string tone, string label, params double[] marks)
    {
        var lines = string.Concat(marks.Select(m =>
            $"""<line class="{(m == 0 ? "zero" : "mark")}" x1="{scale.At(m)}" x2="{scale.At(m)}" y1="0" y2="{Height}"/>"""));
        var bar = low is { } l && high is { } h
            ? $"""<rect class="bar {tone}" x="{scale.At(l)}" y="9" width="{Number(Math.Max(2, scale.X(h) - scale.X(l)))}" height="12" rx="6"/>"""
            : "";
        var point = estimate is { } e ? $"""<circle class="point {tone}" cx="{scale.At(e)}" cy="15" r="5"/>""" : "";
        return $"""
            <svg viewBox="0 0 {Number(PlotScale.Width)} {Height}" role="img" aria-label="{WebUtility.HtmlEncode(label)}">{lines}{bar}{point}</svg>
            """;
    }

    /// <summary>The axis below the rows.</summary>
    public static string Axis(PlotScale scale, Func<double, string> text) =>
        $"""
        <svg class="axis" viewBox="0 0 {Number(PlotScale.Width)} 20" aria-hidden="true">{string.Concat(scale.Ticks.Select(t =>
            $"""<text x="{scale.At(t)}" y="14" text-anchor="middle">{WebUtility.HtmlEncode(text(t))}</text>"""))}</svg>
        """;

    /// <summary>Shares of the arms over the periods, stacked, each period as wide as any other.</summary>
    public static string Shares(IReadOnlyList<IReadOnlyList<double>> periods)
    {
        const int tall = 90;
        var wide = PlotScale.Width / periods.Count;
        var bars = periods.SelectMany((weights, i) =>
        {
            var top = 0.0;
            return weights.Select((weight, arm) =>
            {
                var bar = $"""<rect class="arm arm-{arm % 10}" x="{Number(i * wide)}" y="{Number(top)}" width="{Number(Math.Max(wide - 0.6, 0.4))}" height="{Number(weight * tall)}"/>""";
                top += weight * tall;
                return bar;
            }).ToArray();
        });
        return $"""
            <svg class="shares" viewBox="0 0 {Number(PlotScale.Width)} {tall}" preserveAspectRatio="none" role="img" aria-label="Weights of the arms by period">{string.Concat(bars)}</svg>
            """;
    }

    private static string Number(double x) => x.ToString("0.##", CultureInfo.InvariantCulture);
}
