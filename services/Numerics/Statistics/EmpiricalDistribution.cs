using System.Runtime.InteropServices;

namespace MlOps.Numerics.Statistics;

/// <summary>
/// A sample as its sorted distinct finite values and how often each was seen; anything else is missing.
/// </summary>
public sealed class EmpiricalDistribution
{
    private readonly long[] _cumulative;

    private EmpiricalDistribution(double[] values, long[] counts, long missing)
    {
        Values = values;
        Counts = counts;
        Missing = missing;
        _cumulative = new long[counts.Length];
        var total = 0L;
        for (var i = 0; i < counts.Length; i++)
            _cumulative[i] = total += counts[i];
        Total = total;
    }

    /// <summary>Nothing seen yet.</summary>
    public static EmpiricalDistribution Empty { get; } = new([], [], 0);

    /// <summary>Distinct finite values, ascending. Not to be written to.</summary>
    public double[] Values { get; }

    /// <summary>
    /// Parallel to <see cref="Values"/>: how often each was seen, at least once. Not to be written to.
    /// </summary>
    public long[] Counts { get; }

    /// <summary>Number of finite values seen, the sum of <see cref="Counts"/>.</summary>
    public long Total { get; }

    /// <summary>Number of NaN and infinite values seen; they are in no other figure.</summary>
    public long Missing { get; }

    /// <summary>Arithmetic mean; NaN when nothing was seen.</summary>
    public double Mean
    {
        get
        {
            var sum = new CompensatedSum();
            for (var i = 0; i < Values.Length; i++)
                sum.Add(Values[i] * Counts[i]);
            return Total == 0 ? double.NaN : sum.Value / Total;
        }
    }

    /// <summary>
    /// Population standard deviation (divided by n, not n − 1), in two passes; NaN when nothing was seen.
    /// </summary>
    public double StandardDeviation
    {
        get
        {
            var mean = Mean;
            var sum = new CompensatedSum();
            for (var i = 0; i < Values.Length; i++)
                sum.Add((Values[i] - mean) * (Values[i] - mean) * Counts[i]);
            return Total == 0 ? double.NaN : Math.Sqrt(sum.Value / Total);
        }
    }

    /// <summary>Counts the samples; NaN and ±∞ count as missing. −0 and 0 are one value.</summary>
    public static EmpiricalDistribution FromSamples(ReadOnlySpan<double> samples)
    {
        var sorted = new double[samples.Length];
        var count = 0;
        foreach (var sample in samples)
            if (double.IsFinite(sample))
                sorted[count++] = sample;
        Array.Sort(sorted, 0, count);
        return FromSorted(sorted.AsSpan(0, count), samples.Length - count);
    }

    /// <summary>As for doubles; every float is exact as a double.</summary>
    public static EmpiricalDistribution FromSamples(ReadOnlySpan<float> samples)
    {
        var widened = new double[samples.Length];
        for (var i = 0; i < samples.Length; i++)
            widened[i] = samples[i];
        return FromSamples(widened);
    }

    /// <summary>Takes what was counted elsewhere.</summary>
    /// <param name="values">Finite, strictly ascending.</param>
    /// <param name="counts">Parallel to <paramref name="values"/>, each at least 1.</param>
    /// <param name="missing">At least 0.</param>
    /// <exception cref="ArgumentException">
    /// The values are not finite and ascending, or a count is not positive.
    /// </exception>
    public static EmpiricalDistribution FromCounts(
        ReadOnlySpan<double> values, ReadOnlySpan<long> counts, long missing = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(missing);
        if (values.Length != counts.Length)
            throw new ArgumentException($"{values.Length} values but {counts.Length} counts.", nameof(counts));
        for (var i = 0; i < values.Length; i++)
        {
            if (!double.IsFinite(values[i]) || (i > 0 && values[i] <= values[i - 1]))
                throw new ArgumentException("Values must be finite and strictly ascending.", nameof(values));
            if (counts[i] < 1)
                throw new ArgumentException("Every value must have been seen at least once.", nameof(counts));
        }

        return new EmpiricalDistribution(values.ToArray(), counts.ToArray(), missing);
    }

    /// <summary>The distribution of both samples together.</summary>
    public EmpiricalDistribution Merge(EmpiricalDistribution other)
    {
        var values = new List<double>(Values.Length + other.Values.Length);
        var counts = new List<long>(values.Capacity);
        for (int i = 0, j = 0; i < Values.Length || j < other.Values.Length;)
        {
            var takesOwn = j == other.Values.Length || (i < Values.Length && Values[i] <= other.Values[j]);
            var takesOther = i == Values.Length || (j < other.Values.Length && other.Values[j] <= Values[i]);
            values.Add(takesOwn ? Values[i] : other.Values[j]);
            counts.Add((takesOwn ? Counts[i++] : 0) + (takesOther ? other.Counts[j++] : 0));
        }

        return new EmpiricalDistribution([.. values], [.. counts], Missing + other.Missing);
    }

    /// <summary>
    /// The quantile at <paramref name="q"/> in 0 to 1, linear between order statistics (type 7 of Hyndman and Fan 1996,
    /// the default of NumPy); NaN when nothing was seen.
    /// </summary>
    public double Quantile(double q)
    {
        if (!(q >= 0 && q <= 1))
            throw new ArgumentOutOfRangeException(nameof(q), q, "A quantile lies in 0 to 1.");
        if (Total == 0)
            return double.NaN;

        var position = q * (Total - 1);
        var rank = (long)Math.Floor(position);
        var part = position - rank;
        var low = AtRank(rank);
        var high = AtRank(Math.Min(rank + 1, Total - 1));
        // From the nearer end, as NumPy does: the result is then monotone in q and never leaves [low, high].
        return part >= 0.5 ? high - (high - low) * (1 - part) : low + (high - low) * part;
    }

    /// <summary>
    /// The value at a level in [0, 1) that was seen itself: the inverse of the distribution function (type 1 of Hyndman
    /// and Fan 1996). Of levels drawn evenly it makes a sample.
    /// </summary>
    public double Inverse(double level) =>
        Total == 0 ? double.NaN : AtRank(Math.Clamp((long)(level * Total), 0, Total - 1));

    /// <summary>The order statistic of the 0-based <paramref name="rank"/>.</summary>
    internal double AtRank(long rank)
    {
        var index = Array.BinarySearch(_cumulative, rank + 1);
        return Values[index < 0 ? ~index : index];
    }

    /// <summary>How many values are less than <paramref name="limit"/>.</summary>
    internal long CountBelow(double limit)
    {
        var index = Array.BinarySearch(Values, limit);
        index = index < 0 ? ~index : index;
        return index == 0 ? 0 : _cumulative[index - 1];
    }

    private static EmpiricalDistribution FromSorted(ReadOnlySpan<double> sorted, long missing)
    {
        var values = new List<double>();
        var counts = new List<long>();
        foreach (var value in sorted)
        {
            if (values.Count > 0 && values[^1] == value)
                CollectionsMarshal.AsSpan(counts)[^1]++;
            else
            {
                values.Add(value);
                counts.Add(1);
            }
        }

        return new EmpiricalDistribution([.. values], [.. counts], missing);
    }
}
