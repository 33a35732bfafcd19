namespace MlOps.Gateway.Access.Limits;

/// <summary>How much one caller may ask of one model: a steady rate, and how many requests at once after a pause.</summary>
internal sealed record RateLimit(double RequestsPerSecond, int Burst);

/// <summary>
/// A token bucket kept as the one time up to which its tokens are spent (the generic cell rate algorithm, ITU-T I.371), so
/// that taking one is a single exchange: no lock, no timer, nothing allocated. Times are the timestamps of a clock.
/// </summary>
internal sealed class TokenBucket
{
    private long _spentUntil = long.MinValue;
    private long _depth;

    /// <summary>False: none is left, and there is one in as many ticks.</summary>
    public bool TryTake(RateLimit limit, long now, long ticksPerSecond, out long wait)
    {
        var each = Math.Max(1, (long)(ticksPerSecond / limit.RequestsPerSecond));
        var depth = (long)Math.Min((double)each * limit.Burst, long.MaxValue / 4);
        Volatile.Write(ref _depth, depth);
        while (true)
        {
            var spent = Volatile.Read(ref _spentUntil);
            // What was not spent in the bucket's depth before now is lost.
            var next = Math.Max(spent, now - depth) + each;
            wait = next - now;
            if (wait > 0) return false;
            if (Interlocked.CompareExchange(ref _spentUntil, next, spent) == spent) return true;
        }
    }

    /// <summary>A full bucket is like a new one: nothing is lost with it.</summary>
    public bool IsFull(long now) => Volatile.Read(ref _spentUntil) <= now - Volatile.Read(ref _depth);
}
