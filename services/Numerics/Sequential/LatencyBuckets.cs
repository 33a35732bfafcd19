using System.Numerics;

namespace MlOps.Numerics.Sequential;

/// <summary>
/// Buckets of latency, four to every doubling: bucket i holds the microseconds from <see cref="LowerEdge"/>(i) up to, but
/// not with, <see cref="LowerEdge"/>(i + 1). An edge is at most a quarter above the one before. The first holds all below
/// 64 µs, the last all from 134 s on.
/// </summary>
public static class LatencyBuckets
{
    public const int Count = 86;
    private const int FirstOctave = 6;

    /// <summary>The bucket of a latency in microseconds; one below 0 counts as 0. Allocates nothing.</summary>
    public static int Of(long micros)
    {
        if (micros < 1 << FirstOctave)
            return 0;
        var octave = BitOperations.Log2((ulong)micros);
        var quarter = (int)(micros >> (octave - 2)) & 3;
        return Math.Min(1 + 4 * (octave - FirstOctave) + quarter, Count - 1);
    }

    /// <summary>In microseconds; 0 for the first bucket.</summary>
    public static long LowerEdge(int bucket)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(bucket);
        if (bucket == 0)
            return 0;
        var (octave, quarter) = Math.DivRem(bucket - 1, 4);
        return (4L + quarter) << (octave + FirstOctave - 2);
    }

    /// <summary>The least bucket whose lower edge is at or above a latency in microseconds: slower ones are in it or after it.</summary>
    public static int AtOrAbove(long micros)
    {
        var bucket = Of(micros);
        return LowerEdge(bucket) >= micros ? bucket : Math.Min(bucket + 1, Count - 1);
    }

    /// <summary>
    /// The least bucket with at most the share 1 − q of the counts in it and after it: the lower edge of that bucket is the q
    /// quantile, rounded up to an edge. The last where nothing was counted.
    /// </summary>
    public static int Quantile(ReadOnlySpan<long> counts, double q)
    {
        var total = 0L;
        foreach (var count in counts)
            total += count;
        var above = 0L;
        for (var bucket = counts.Length - 1; bucket > 0; bucket--)
        {
            above += counts[bucket];
            if (above > total * (1 - q) || total == 0)
                return Math.Min(bucket + 1, counts.Length - 1);
        }

        return 0;
    }
}
