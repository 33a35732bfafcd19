using System.Buffers;
using MlOps.Numerics.Sequential;

namespace MlOps.Gateway.Rollouts.Observations;

/// <summary>
/// Requests by slice of subjects and bucket of latency, and those without a successful answer by slice. Packed: per slice the
/// failures, the number of buckets that are not empty, and for each its number and its count, all as variable-length integers.
/// </summary>
internal sealed class ArmCounts
{
    /// <summary>Every subject is in one of them.</summary>
    public const int Slices = 64;

    /// <summary>Slice by slice, each with its buckets.</summary>
    public long[] Requests { get; } = new long[Slices * LatencyBuckets.Count];

    public long[] Failures { get; } = new long[Slices];

    public long Total => Requests.Sum();

    public ArmMoments FailureShare() => ArmMoments.OfShare(CountFrom(0), Failures);

    /// <summary>The share of requests in this bucket of latency or a later one.</summary>
    public ArmMoments ShareFrom(int bucket) => ArmMoments.OfShare(CountFrom(0), CountFrom(bucket));

    /// <summary>Requests per bucket of latency.</summary>
    public long[] Latencies()
    {
        var sums = new long[LatencyBuckets.Count];
        for (var i = 0; i < Requests.Length; i++) sums[i % LatencyBuckets.Count] += Requests[i];
        return sums;
    }

    public void Add(ArmCounts other)
    {
        for (var i = 0; i < Requests.Length; i++) Requests[i] += other.Requests[i];
        for (var i = 0; i < Failures.Length; i++) Failures[i] += other.Failures[i];
    }

    public byte[] Pack()
    {
        var bytes = new ArrayBufferWriter<byte>(512);
        for (var slice = 0; slice < Slices; slice++)
        {
            var buckets = Requests.AsSpan(slice * LatencyBuckets.Count, LatencyBuckets.Count);
            Write(bytes, Failures[slice]);
            Write(bytes, buckets.Length - buckets.Count(0));
            for (var bucket = 0; bucket < buckets.Length; bucket++)
            {
                if (buckets[bucket] == 0) continue;
                Write(bytes, bucket);
                Write(bytes, buckets[bucket]);
            }
        }

        return bytes.WrittenSpan.ToArray();
    }

    /// <exception cref="InvalidDataException">Not what <see cref="Pack"/> makes.</exception>
    public static ArmCounts Unpack(ReadOnlySpan<byte> packed)
    {
        var counts = new ArmCounts();
        for (var slice = 0; slice < Slices; slice++)
        {
            counts.Failures[slice] = Read(ref packed);
            for (var left = Read(ref packed); left > 0; left--)
            {
                var bucket = Read(ref packed);
                if (bucket is < 0 or >= LatencyBuckets.Count) throw new InvalidDataException($"There is no bucket {bucket}.");
                counts.Requests[slice * LatencyBuckets.Count + (int)bucket] = Read(ref packed);
            }
        }

        return counts;
    }

    private long[] CountFrom(int bucket)
    {
        var sums = new long[Slices];
        for (var slice = 0; slice < Slices; slice++)
        {
            for (var i = bucket; i < LatencyBuckets.Count; i++) sums[slice] += Requests[slice * LatencyBuckets.Count + i];
        }

        return sums;
    }

    private static void Write(ArrayBufferWriter<byte> bytes, long value)
    {
        var left = (ulong)value;
        var span = bytes.GetSpan(10);
        var written = 0;
        for (; left >= 0x80; left >>= 7) span[written++] = (byte)(left | 0x80);
        span[written++] = (byte)left;
        bytes.Advance(written);
    }

    private static long Read(ref ReadOnlySpan<byte> bytes)
    {
        var value = 0UL;
        for (var i = 0; i < bytes.Length && i < 10; i++)
        {
            value |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] >= 0x80) continue;
            bytes = bytes[(i + 1)..];
            return (long)value;
        }

        throw new InvalidDataException("The counts end in the middle.");
    }
}
