namespace MlOps.Numerics.Assignment;

/// <summary>
/// Arm i takes the buckets [Σ_{j&lt;i} wⱼ, Σ_{j&lt;i} wⱼ + coverage·wᵢ): raising the coverage only adds subjects and
/// moves none. Sums are taken in double in the arms' order, as GrowthBook does: an end may lie one bucket off its
/// decimal value.
/// </summary>
public static class ArmRanges
{
    /// <summary>The arm whose range holds the bucket, or −1 where no arm's does. Allocates nothing.</summary>
    /// <param name="weights">Not negative, with a sum of at most 1.</param>
    /// <param name="coverage">Share of each arm's range in use; below 0 counts as 0 and above 1 as 1.</param>
    /// <param name="bucket">In [0, 1), from <see cref="SubjectHash"/>.</param>
    public static int Choose(ReadOnlySpan<double> weights, double coverage, double bucket)
    {
        var covered = Math.Clamp(coverage, 0, 1);
        var start = 0.0;
        for (var i = 0; i < weights.Length; i++)
        {
            if (bucket >= start && bucket < start + covered * weights[i])
                return i;
            start += weights[i];
        }

        return -1;
    }
}
