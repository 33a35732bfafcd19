using System.Globalization;

namespace MlOps.Monitoring.Shadows;

/// <summary>Divides pairs by an input: texts by their value, numbers by the quartiles of those there are.</summary>
internal static class Segments
{
    /// <summary>The largest segments have a name of their own, what is left is in one.</summary>
    public const int Most = 50;
    public const string Missing = "(missing)";
    public const string Others = "(others)";

    /// <summary>One name per number, "[low, high)"; the last range holds its end. Null is missing.</summary>
    public static string[] OfNumbers(IReadOnlyList<double?> numbers)
    {
        double[] sorted = [.. numbers.OfType<double>().Where(n => !double.IsNaN(n)).Order()];
        if (sorted.Length == 0) return [.. numbers.Select(_ => Missing)];
        double[] edges = [.. new[] { 0, 0.25, 0.5, 0.75 }.Select(q => sorted[(int)(q * sorted.Length)]).Append(sorted[^1]).Distinct()];
        return [.. numbers.Select(n => n is not { } value || double.IsNaN(value) ? Missing : RangeOf(value, edges))];
    }

    /// <summary>The texts themselves, where they are among the most frequent.</summary>
    public static string[] OfTexts(IReadOnlyList<string?> texts)
    {
        var named = texts.OfType<string>().GroupBy(t => t, StringComparer.Ordinal).OrderByDescending(g => g.Count())
            .ThenBy(g => g.Key, StringComparer.Ordinal).Take(Most).Select(g => g.Key).ToHashSet(StringComparer.Ordinal);
        return [.. texts.Select(t => t is null ? Missing : named.Contains(t) ? t : Others)];
    }

    private static string RangeOf(double value, double[] edges)
    {
        if (edges.Length == 1) return Text(value);
        var at = Array.FindLastIndex(edges[..^1], edge => value >= edge);
        return $"[{Text(edges[at])}, {Text(edges[at + 1])}{(at == edges.Length - 2 ? "]" : ")")}";
    }

    private static string Text(double value) => value.ToString("G6", CultureInfo.InvariantCulture);
}
