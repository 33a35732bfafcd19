using MlOps.Inference.Predictions;

namespace MlOps.Inference.Admission;

/// <summary>
/// How many requests are let in at once: additive increase, multiplicative decrease (Chiu and Jain, 1989) on the time they
/// stand in line. What counts of a window is its shortest time, so that a burst that drains is no overload (CoDel, RFC 8289,
/// section 3.2). The time in line and not that of the whole answer, or a slow model would be taken for an overloaded one.
/// </summary>
internal sealed class ConcurrencyLimit(AdmissionOptions options)
{
    private const double Decrease = 0.9;
    private const int Increase = 8;
    private readonly int _least = Math.Min(options.MinConcurrency, options.MaxConcurrency);
    private volatile int _current = options.MaxConcurrency;

    /// <summary>For requests of the tier stable.</summary>
    public int Current => _current;

    /// <summary>
    /// What a tier may fill: of the limit all, three quarters, or half. So the shadows stop first, and the canaries before
    /// what is stable.
    /// </summary>
    public int Of(CallTier tier) => tier switch
    {
        CallTier.Shadow => Math.Max(1, _current / 2),
        CallTier.Canary => Math.Max(1, _current * 3 / 4),
        _ => _current,
    };

    /// <summary>A window is over. One caller at a time.</summary>
    /// <param name="leastDelay">The shortest time in line.</param>
    /// <param name="most">The most requests under way and in line at once.</param>
    public void Adapt(TimeSpan leastDelay, long most)
    {
        if (leastDelay > options.TargetDelay)
        {
            // From where the first tier feels it: a limit far above what there was would take many windows to get there.
            _current = Math.Max(_least, (int)(Math.Min(_current, 2 * most) * Decrease));
        }
        else if (most * 2 >= _current)
        {
            // Nobody needs a higher one while half of it is free.
            _current = Math.Min(options.MaxConcurrency, _current + Increase);
        }
    }
}
