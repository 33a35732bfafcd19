namespace MlOps.Numerics.Splits;

/// <summary>
/// Row numbers of a split by time: all of Train is before all of Validation, and that before all of Test; each in order
/// of time, then row. Rows of one time are never parted.
/// </summary>
public sealed record TimeSplit(int[] Train, int[] Validation, int[] Test)
{
    /// <summary>
    /// Cuts at the wanted shares of the rows; where that falls among rows of one time they all go to the earlier part.
    /// </summary>
    /// <param name="timestamps">One per row, in any order and unit.</param>
    /// <param name="train">Share, not negative; the three sum to 1.</param>
    /// <param name="validation">Share, not negative.</param>
    /// <param name="test">Share, not negative.</param>
    /// <exception cref="ArgumentException">A share is negative, or they do not sum to 1 within 10⁻⁹.</exception>
    public static TimeSplit Of(ReadOnlySpan<long> timestamps, double train, double validation, double test)
    {
        if (!(train >= 0 && validation >= 0 && test >= 0 && Math.Abs(train + validation + test - 1) <= 1e-9))
            throw new ArgumentException($"Shares {train}, {validation}, {test} must not be negative and sum to 1.");

        var order = new (long Time, int Row)[timestamps.Length];
        for (var i = 0; i < order.Length; i++)
            order[i] = (timestamps[i], i);
        Array.Sort(order);

        var first = Cut(order, train);
        var second = Math.Max(first, Cut(order, train + validation));
        var rows = Array.ConvertAll(order, item => item.Row);
        return new TimeSplit(rows[..first], rows[first..second], rows[second..]);
    }

    private static int Cut((long Time, int Row)[] order, double share)
    {
        var cut = Math.Min((int)Math.Round(share * order.Length, MidpointRounding.ToEven), order.Length);
        while (cut > 0 && cut < order.Length && order[cut].Time == order[cut - 1].Time)
            cut++;
        return cut;
    }
}
