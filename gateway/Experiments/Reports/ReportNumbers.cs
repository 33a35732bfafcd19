using System.Globalization;

namespace MlOps.Gateway.Experiments.Reports;

/// <summary>Figures as people read them, the same in every culture.</summary>
internal static class ReportNumbers
{
    public const string None = "–";

    /// <summary>Three digits that count, or a percentage where the metric is a share.</summary>
    public static string Value(double? value, bool isShare) => value switch
    {
        null => None,
        { } v when isShare => Text(v * 100, Digits(v * 100)) + " %",
        { } v => Text(v, Digits(v)),
    };

    /// <summary>With its sign; of a share in percentage points.</summary>
    public static string Change(double? value, bool isShare) => value switch
    {
        null => None,
        { } v when isShare => Signed(v * 100, Digits(v * 100)) + " pp",
        { } v => Signed(v, Digits(v)),
    };

    /// <summary>Of an axis, whose numbers are round: no more digits than it takes.</summary>
    public static string Tick(double value, bool isShare)
    {
        var shown = isShare ? value * 100 : value;
        return (shown > 0 ? "+" : "") + shown.ToString("#,0.######", CultureInfo.InvariantCulture).Replace('-', '−') + (isShare ? " pp" : "");
    }

    public static string Percent(double? share) => share is { } s ? Signed(s * 100, Math.Abs(s) < 0.1 ? 2 : 1) + " %" : None;

    public static string Count(double? count) => count is { } c ? c.ToString("N0", CultureInfo.InvariantCulture) : None;

    public static string Chance(double? p) => p switch
    {
        null => None,
        < 0.0001 => "< 0.0001",
        { } v => v.ToString("0.####", CultureInfo.InvariantCulture),
    };

    public static string Time(DateTimeOffset? time) => time?.ToString("yyyy-MM-dd HH:mm 'UTC'", CultureInfo.InvariantCulture) ?? None;

    private static int Digits(double value) => Math.Abs(value) switch { 0 => 0, >= 100 => 0, >= 10 => 1, >= 1 => 2, >= 0.1 => 3, >= 0.01 => 4, _ => 6 };

    private static string Text(double value, int digits) => value.ToString($"N{digits}", CultureInfo.InvariantCulture).Replace('-', '−');

    private static string Signed(double value, int digits) => (value > 0 ? "+" : "") + Text(value, digits);
}
