namespace MlOps.Training.Search;

/// <summary>SplitMix64 (Steele, Lea and Flood, 2014): the same numbers from the same seed on every platform and runtime.</summary>
internal sealed class SplitMix64(ulong seed)
{
    private ulong _state = seed;

    internal ulong Next()
    {
        var z = _state += 0x9E3779B97F4A7C15;
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9;
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB;
        return z ^ (z >> 31);
    }

    /// <summary>Uniform in [0, <paramref name="bound"/>), by Lemire's multiplication with rejection.</summary>
    internal long Below(long bound)
    {
        var range = (ulong)bound;
        while (true)
        {
            var high = Math.BigMul(Next(), range, out var low);
            if (low >= range || low >= unchecked(0 - range) % range) return (long)high;
        }
    }
}
