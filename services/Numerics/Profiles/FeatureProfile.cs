using System.Text.Json.Serialization;
using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Profiles;

/// <summary>What one column looked like in the reference rows, enough to measure drift against and to draw.</summary>
public sealed record FeatureProfile
{
    /// <summary>With more distinct values than this a numeric column is kept as as many quantile points.</summary>
    public const int MostPoints = 20_000;

    public required string Name { get; init; }

    public required FeatureKind Kind { get; init; }

    /// <summary>Values that were there: finite numbers, or categories.</summary>
    public required long Total { get; init; }

    /// <summary>Values that were not: NaN, ±∞ or null.</summary>
    public required long Missing { get; init; }

    /// <summary>
    /// Numeric: distinct values, ascending; quantile points when not <see cref="IsExact"/>. Empty when categorical.
    /// </summary>
    public double[] Values { get; init; } = [];

    /// <summary>Parallel to <see cref="Values"/>; the sum is <see cref="Total"/>.</summary>
    public long[] Counts { get; init; } = [];

    /// <summary>
    /// Whether the values are all that were seen. If not, the empirical distribution function they give is nowhere more
    /// than 1/20,000 off; the figures below are of the whole column always.
    /// </summary>
    public bool IsExact { get; init; } = true;

    public double? Min { get; init; }

    public double? Max { get; init; }

    /// <summary>Null when there was no value, or the sum is beyond the range of a double.</summary>
    public double? Mean { get; init; }

    /// <summary>Population standard deviation; null as for the mean.</summary>
    public double? StandardDeviation { get; init; }

    /// <summary>Parallel to <see cref="QuantileLevels"/>; empty when there was no value.</summary>
    public double[] Quantiles { get; init; } = [];

    /// <summary>Categorical: how often each was seen, in ordinal order. Empty when numeric.</summary>
    public IReadOnlyDictionary<string, long> Categories { get; init; } = new Dictionary<string, long>();

    /// <summary>1, 5, 25, 50, 75, 95 and 99 %.</summary>
    [JsonIgnore]
    public static IReadOnlyList<double> QuantileLevels { get; } = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

    /// <summary>Profiles a numeric column; NaN and ±∞ count as missing.</summary>
    public static FeatureProfile Numeric(string name, ReadOnlySpan<double> samples) =>
        Numeric(name, EmpiricalDistribution.FromSamples(samples));

    /// <inheritdoc cref="Numeric(string, ReadOnlySpan{double})"/>
    public static FeatureProfile Numeric(string name, ReadOnlySpan<float> samples) =>
        Numeric(name, EmpiricalDistribution.FromSamples(samples));

    /// <summary>Profiles a numeric column that was counted already.</summary>
    public static FeatureProfile Numeric(string name, EmpiricalDistribution column)
    {
        var kept = column.Values.Length <= MostPoints ? column : Thin(column);
        var hasValues = column.Total > 0;
        return new FeatureProfile
        {
            Name = name,
            Kind = FeatureKind.Numeric,
            Total = column.Total,
            Missing = column.Missing,
            Values = kept.Values,
            Counts = kept.Counts,
            IsExact = ReferenceEquals(kept, column),
            Min = hasValues ? column.Values[0] : null,
            Max = hasValues ? column.Values[^1] : null,
            Mean = FiniteOrNull(column.Mean),
            StandardDeviation = FiniteOrNull(column.StandardDeviation),
            Quantiles = hasValues ? [.. QuantileLevels.Select(column.Quantile)] : [],
        };
    }

    /// <summary>Profiles a categorical column; null counts as missing, the empty text is a category.</summary>
    public static FeatureProfile Categorical(string name, IEnumerable<string?> samples)
    {
        var counts = new Dictionary<string, long>(StringComparer.Ordinal);
        var missing = 0L;
        foreach (var sample in samples)
        {
            if (sample is null)
                missing++;
            else
                counts[sample] = counts.GetValueOrDefault(sample) + 1;
        }

        return Categorical(name, counts, missing);
    }

    /// <summary>Profiles a categorical column that was counted already.</summary>
    public static FeatureProfile Categorical(
        string name, IReadOnlyDictionary<string, long> counts, long missing) => new()
        {
            Name = name,
            Kind = FeatureKind.Categorical,
            Total = counts.Values.Sum(),
            Missing = missing,
            Categories = counts.OrderBy(pair => pair.Key, StringComparer.Ordinal)
            .ToDictionary(pair => pair.Key, pair => pair.Value, StringComparer.Ordinal),
        };

    /// <summary>The numeric column again, as far as it was kept; empty when categorical.</summary>
    public EmpiricalDistribution ToDistribution() => EmpiricalDistribution.FromCounts(Values, Counts, Missing);

    private static double? FiniteOrNull(double figure) => double.IsFinite(figure) ? figure : null;

    /// <summary>
    /// Cuts the order statistics into blocks of equal weight and keeps the middle of each, and the extremes at the
    /// ends.
    /// </summary>
    private static EmpiricalDistribution Thin(EmpiricalDistribution column)
    {
        var values = new List<double>(MostPoints);
        var counts = new List<long>(MostPoints);
        var from = 0L;
        for (var block = 1L; block <= MostPoints; block++)
        {
            var to = (long)((Int128)column.Total * block / MostPoints);
            var rank = block == 1 ? 0 : block == MostPoints ? column.Total - 1 : from + (to - from - 1) / 2;
            var value = column.AtRank(rank);
            if (values.Count > 0 && values[^1] == value)
                counts[^1] += to - from;
            else
            {
                values.Add(value);
                counts.Add(to - from);
            }

            from = to;
        }

        return EmpiricalDistribution.FromCounts([.. values], [.. counts], column.Missing);
    }
}
