using System.Globalization;
using System.Text;

namespace MlOps.Flights.Reporting;

/// <summary>A bar chart as SVG: heights are shares of the top line, 0 to 1.</summary>
internal sealed class Chart(double width, double height)
{
    private const double Left = 40, Bottom = 24, Top = 14;
    private readonly StringBuilder _svg = new();

    public void Grid(double top, int lines, Func<double, string> label)
    {
        for (var i = 0; i <= lines; i++)
        {
            var y = Y((double)i / lines);
            _svg.Append(CultureInfo.InvariantCulture, $"<line x1=\"{Left}\" x2=\"{width}\" y1=\"{y:0.0}\" y2=\"{y:0.0}\"/>");
            _svg.Append(CultureInfo.InvariantCulture, $"<text x=\"{Left - 6}\" y=\"{y + 4:0.0}\" text-anchor=\"end\">{label(top * i / lines)}</text>");
        }
    }

    /// <summary>Left edge and width of the i-th of n equal slots.</summary>
    public (double Left, double Width) Slot(int i, int n) => (Left + (width - Left) * i / n, (width - Left) / n);

    public void Bar(double x, double barWidth, double share, string style) => _svg.Append(
        CultureInfo.InvariantCulture,
        $"<rect class=\"{style}\" rx=\"2\" x=\"{x:0.0}\" y=\"{Y(share):0.0}\" width=\"{barWidth:0.0}\" height=\"{Y(0) - Y(share):0.0}\"/>");

    public void Above(double x, double share, string text) => _svg.Append(
        CultureInfo.InvariantCulture, $"<text x=\"{x:0.0}\" y=\"{Y(share) - 4:0.0}\" text-anchor=\"middle\">{text}</text>");

    public void Label(double x, string text) => _svg.Append(
        CultureInfo.InvariantCulture, $"<text x=\"{x:0.0}\" y=\"{height - 6:0.0}\" text-anchor=\"middle\">{text}</text>");

    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture, $"<svg viewBox=\"0 0 {width} {height}\" role=\"img\">{_svg}</svg>");

    private double Y(double share) => height - Bottom - share * (height - Bottom - Top);
}
