namespace MlOps.Gateway.Resilience;

/// <summary>
/// How many requests may be sent again: one for every five that came, a hundred saved up at most, so that retries never
/// multiply what is already too much.
/// </summary>
internal sealed class RetryBudget
{
    private const long One = 5;
    private const long Most = 100 * One;
    private long _saved = Most;

    public void Earn()
    {
        if (Volatile.Read(ref _saved) < Most) Interlocked.Increment(ref _saved);
    }

    public bool TrySpend()
    {
        if (Interlocked.Add(ref _saved, -One) >= 0) return true;
        Interlocked.Add(ref _saved, One);
        return false;
    }
}
