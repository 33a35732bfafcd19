namespace MlOps.FeatureStore.Offline;

/// <summary>The rule of the point-in-time join: what was the newest value at T, as known at T and not older than the ttl?</summary>
internal static class PointInTime
{
    /// <summary>
    /// Index of the greatest (event time, known-at time) with T − ttl ≤ event time ≤ T and known-at ≤ T, both bounds inclusive;
    /// −1 when there is none. The ttl counts back from T, never from now; 0 is no lower bound.
    /// </summary>
    /// <param name="eventTimes">Ascending, microseconds.</param>
    /// <param name="knownAt">Parallel; ascending among equal event times.</param>
    /// <param name="time">T, microseconds.</param>
    /// <param name="ttl">Microseconds.</param>
    public static int Find(ReadOnlySpan<long> eventTimes, ReadOnlySpan<long> knownAt, long time, long ttl)
    {
        var (low, high) = (0, eventTimes.Length);
        while (low < high)
        {
            var middle = (low + high) >>> 1;
            if (eventTimes[middle] <= time)
                low = middle + 1;
            else
                high = middle;
        }

        var oldest = ttl == 0 ? long.MinValue : time - ttl;
        for (var row = low - 1; row >= 0 && eventTimes[row] >= oldest; row--)
            if (knownAt[row] <= time)
                return row;
        return -1;
    }
}
