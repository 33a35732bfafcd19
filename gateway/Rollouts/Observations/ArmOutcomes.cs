using MlOps.Numerics.Sequential;

namespace MlOps.Gateway.Rollouts.Observations;

/// <summary>What came of an arm's requests since this replica has the policy. Counting takes two increments and allocates nothing.</summary>
internal sealed class ArmOutcomes
{
    private readonly ArmCounts _counts = new();

    /// <summary>A shed request was refused for want of capacity, canaries first: it says nothing of the version and is not counted.</summary>
    public void Add(int slice, long micros, bool isFailure)
    {
        Interlocked.Increment(ref _counts.Requests[slice * LatencyBuckets.Count + LatencyBuckets.Of(micros)]);
        if (isFailure) Interlocked.Increment(ref _counts.Failures[slice]);
    }

    /// <summary>The counts now, and how many requests they are.</summary>
    public (byte[] Packed, long Requests) Read()
    {
        var copy = new ArmCounts();
        // Failures first: a request is in its bucket before it is a failure, so there are never more of these.
        for (var i = 0; i < copy.Failures.Length; i++) copy.Failures[i] = Volatile.Read(ref _counts.Failures[i]);
        for (var i = 0; i < copy.Requests.Length; i++) copy.Requests[i] = Volatile.Read(ref _counts.Requests[i]);
        return (copy.Pack(), copy.Total);
    }
}
