namespace MlOps.Numerics.Windows;

/// <summary>
/// Count and mean of one entity's rows in a sliding window, as steps: from <c>TimesMicros[i]</c> on (inclusive) until
/// the next time they are <c>Counts[i]</c> and <c>Means[i]</c>; before the first time the window is empty.
/// </summary>
/// <param name="TimesMicros">Strictly ascending; only times at which the count or the mean changes.</param>
/// <param name="Counts">Rows in the window, those with a NaN value too.</param>
/// <param name="Means">Mean of the values that are not NaN; NaN when there is none.</param>
public sealed record SlidingAggregate(long[] TimesMicros, long[] Counts, double[] Means)
{
    /// <summary>
    /// At time T a row is in when T − window &lt; event ≤ T and known ≤ T: it belongs to [max(event, known), event +
    /// window). Sums are kept in a tree over the rows, so nothing drifts however many came and went: the error is at
    /// most ⌈log₂ n⌉·2⁻⁵³·Σ|value| over the rows then in, and none for whole numbers with sums below 2⁵³. The order in
    /// which the rows are given has no influence.
    /// </summary>
    /// <param name="eventMicros">When each row happened.</param>
    /// <param name="knownMicros">Parallel: when it could first be known.</param>
    /// <param name="values">Parallel: the value, NaN when it has none.</param>
    /// <param name="windowMicros">Length of the window, positive.</param>
    /// <exception cref="ArgumentException">The spans differ in length, or the window is not positive.</exception>
    public static SlidingAggregate Of(
        ReadOnlySpan<long> eventMicros, ReadOnlySpan<long> knownMicros, ReadOnlySpan<double> values, long windowMicros)
    {
        ArgumentOutOfRangeException.ThrowIfNegativeOrZero(windowMicros);
        if (eventMicros.Length != knownMicros.Length || eventMicros.Length != values.Length)
            throw new ArgumentException("Event times, known times and values must be equally many.", nameof(values));

        var (rows, moves) = Moves(eventMicros, knownMicros, values, windowMicros);
        var sums = new SumTree(rows.Length);
        var (times, counts, means) = (new List<long>(), new List<long>(), new List<double>());
        long inWindow = 0, withValue = 0;
        for (var i = 0; i < moves.Length; i++)
        {
            var (time, row, enters) = moves[i];
            var change = enters ? 1 : -1;
            inWindow += change;
            if (!double.IsNaN(rows[row]))
            {
                withValue += change;
                sums.Set(row, enters ? rows[row] : 0);
            }

            if (i + 1 < moves.Length && moves[i + 1].Time == time)
                continue;
            var mean = withValue == 0 ? double.NaN : sums.Total / withValue;
            var (countBefore, meanBefore) = counts.Count == 0 ? (0, double.NaN) : (counts[^1], means[^1]);
            if (inWindow == countBefore && mean.Equals(meanBefore))
                continue;
            times.Add(time);
            counts.Add(inWindow);
            means.Add(mean);
        }

        return new SlidingAggregate([.. times], [.. counts], [.. means]);
    }

    private static (double[] Values, (long Time, int Row, bool Enters)[] Moves) Moves(
        ReadOnlySpan<long> eventMicros, ReadOnlySpan<long> knownMicros, ReadOnlySpan<double> values, long windowMicros)
    {
        // Rows in one canonical order give the same sums to the bit wherever they are computed.
        var rows = new (long Event, long Known, double Value)[values.Length];
        for (var i = 0; i < rows.Length; i++)
            rows[i] = (eventMicros[i], knownMicros[i], values[i]);
        Array.Sort(rows);

        var moves = new List<(long, int, bool)>(2 * rows.Length);
        for (var i = 0; i < rows.Length; i++)
        {
            var from = Math.Max(rows[i].Event, rows[i].Known);
            var to = checked(rows[i].Event + windowMicros);
            if (from >= to)
                continue; // known only when the window has passed
            moves.Add((from, i, true));
            moves.Add((to, i, false));
        }

        moves.Sort();
        return (Array.ConvertAll(rows, row => row.Value), [.. moves]);
    }

    /// <summary>Count and mean at a time, by binary search.</summary>
    public (long Count, double Mean) At(long timeMicros)
    {
        var index = Array.BinarySearch(TimesMicros, timeMicros);
        index = index < 0 ? ~index - 1 : index;
        return index < 0 ? (0, double.NaN) : (Counts[index], Means[index]);
    }
}
