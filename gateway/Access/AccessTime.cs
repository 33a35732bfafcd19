namespace MlOps.Gateway.Access;

/// <summary>Times and spans of time as they are on the wire.</summary>
internal static class AccessTime
{
    /// <summary>Microseconds since the epoch; 0: it did not come.</summary>
    public static long Micros(DateTimeOffset? time) =>
        time is { } t ? (t - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond : 0;

    /// <summary>Null for 0, which stands for a default; what is too large for a span of time is the largest one.</summary>
    public static TimeSpan? OfSeconds(long seconds) => seconds switch
    {
        0 => null,
        > 100_000_000_000 => TimeSpan.MaxValue,
        < -100_000_000_000 => TimeSpan.MinValue,
        _ => TimeSpan.FromSeconds(seconds),
    };
}
