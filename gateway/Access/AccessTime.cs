namespace MlOps.Gateway.Access;

/// <summary>Times and spans of time as they are on the wire.</summary>
internal static class AccessTime
{
    /// <summary>Microseconds since the epoch; 0: it did not come.</summary>
    public static long Micros(DateTimeOffset? time) =>
        time is { } t ? (t - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond : 0;

    /// <summary>Null for 0; a time out of all bounds is the nearest there is.</summary>
    public static DateTimeOffset? OfMicros(long micros) => micros switch
    {
        0 => null,
        > 253_402_300_799_000_000 => DateTimeOffset.MaxValue,
        < -62_135_596_800_000_000 => DateTimeOffset.MinValue,
        _ => DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond),
    };

    /// <summary>Null for 0, which stands for a default; what is too large for a span of time is the largest one.</summary>
    public static TimeSpan? OfSeconds(long seconds) => seconds switch
    {
        0 => null,
        > 100_000_000_000 => TimeSpan.MaxValue,
        < -100_000_000_000 => TimeSpan.MinValue,
        _ => TimeSpan.FromSeconds(seconds),
    };
}
