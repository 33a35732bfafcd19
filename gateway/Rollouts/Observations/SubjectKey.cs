using System.Security.Cryptography;

namespace MlOps.Gateway.Rollouts.Observations;

/// <summary>
/// A subject as 64 bits that have nothing to do with its place in the split: FNV-1a over UTF-16 code units, mixed as by MurmurHash3.
/// The same on every replica. Allocates nothing.
/// </summary>
internal static class SubjectKey
{
    private static long _nameless = BitConverter.ToInt64(RandomNumberGenerator.GetBytes(8));

    /// <summary>A request without a name is a subject of its own.</summary>
    public static ulong Of(ReadOnlySpan<char> name)
    {
        if (name.IsEmpty) return Mix((ulong)Interlocked.Increment(ref _nameless));
        var hash = 14695981039346656037UL;
        foreach (var unit in name) hash = unchecked((hash ^ unit) * 1099511628211UL);
        return Mix(hash);
    }

    private static ulong Mix(ulong hash)
    {
        hash = unchecked((hash ^ (hash >> 33)) * 0xFF51AFD7ED558CCDUL);
        hash = unchecked((hash ^ (hash >> 33)) * 0xC4CEB9FE1A85EC53UL);
        return hash ^ (hash >> 33);
    }
}
