using System.Globalization;

namespace MlOps.Numerics.Statistics;

/// <summary>
/// Bins over two samples as Evidently makes them: Sturges' intervals over the pooled sample, or single values.
/// </summary>
internal static class SharedBins
{
    private const int MostSingleValues = 20;

    /// <summary>
    /// Intervals when the reference has more than 20 distinct values, else one bin per value seen in either.
    /// </summary>
    /// <exception cref="ArgumentException">A sample has no finite value.</exception>
    public static Bin[] Numeric(EmpiricalDistribution reference, EmpiricalDistribution current)
    {
        RequireValues(reference.Total, current.Total);
        return reference.Values.Length > MostSingleValues
            ? Intervals(reference, current)
            : SingleValues(reference, current);
    }

    /// <summary>One bin per category with a count in either, in ordinal order of the names.</summary>
    /// <exception cref="ArgumentException">A sample has no counts, or a count is negative.</exception>
    public static Bin[] Categorical(
        IReadOnlyDictionary<string, long> reference, IReadOnlyDictionary<string, long> current)
    {
        if (reference.Values.Concat(current.Values).Any(count => count < 0))
            throw new ArgumentException("Counts are not negative.", nameof(reference));
        var (total, currentTotal) = (reference.Values.Sum(), current.Values.Sum());
        RequireValues(total, currentTotal);
        return
        [
            .. reference.Concat(current)
                .Where(pair => pair.Value > 0)
                .Select(pair => pair.Key)
                .Distinct(StringComparer.Ordinal)
                .Order(StringComparer.Ordinal)
                .Select(name => new Bin(
                    name, double.NaN, double.NaN,
                    (double)reference.GetValueOrDefault(name) / total,
                    (double)current.GetValueOrDefault(name) / currentTotal)),
        ];
    }

    /// <summary>
    /// NumPy's <c>histogram_bin_edges(pooled, "sturges")</c> to the bit: ⌈range / (range / (log₂ n + 1))⌉ equal
    /// intervals.
    /// </summary>
    private static Bin[] Intervals(EmpiricalDistribution reference, EmpiricalDistribution current)
    {
        var low = Math.Min(reference.Values[0], current.Values[0]);
        var high = Math.Max(reference.Values[^1], current.Values[^1]);
        var width = (high - low) / (Math.Log2(reference.Total + current.Total) + 1);
        // Tiny ranges underflow to a width of zero; one bin then holds all.
        var count = width > 0 && double.IsFinite(width) ? (int)Math.Ceiling((high - low) / width) : 1;
        var step = (high - low) / count;
        var bins = new Bin[count];
        var lower = low;
        for (var i = 0; i < count; i++)
        {
            var isLast = i == count - 1;
            var upper = isLast ? high : (i + 1) * step + low;
            bins[i] = new Bin(
                string.Create(CultureInfo.InvariantCulture, $"[{lower:G6}, {upper:G6}{(isLast ? ']' : ')')}"),
                lower, upper,
                Share(reference, lower, upper, isLast), Share(current, lower, upper, isLast));
            lower = upper;
        }

        return bins;
    }

    private static Bin[] SingleValues(EmpiricalDistribution reference, EmpiricalDistribution current)
    {
        var bins = new List<Bin>();
        var pairs = new CumulativePairs(reference, current);
        for (var (seen, seenCurrent) = (0L, 0L); pairs.MoveNext(); (seen, seenCurrent) = pairs.Current)
        {
            bins.Add(new Bin(
                pairs.Value.ToString(CultureInfo.InvariantCulture), pairs.Value, pairs.Value,
                (double)(pairs.Current.A - seen) / reference.Total,
                (double)(pairs.Current.B - seenCurrent) / current.Total));
        }

        return [.. bins];
    }

    private static double Share(EmpiricalDistribution sample, double lower, double upper, bool isLast)
    {
        var below = isLast ? sample.Total : sample.CountBelow(upper);
        return (double)(below - sample.CountBelow(lower)) / sample.Total;
    }

    private static void RequireValues(long reference, long current)
    {
        if (reference == 0 || current == 0)
            throw new ArgumentException(
                "Each sample needs at least one value.", reference == 0 ? nameof(reference) : nameof(current));
    }
}
