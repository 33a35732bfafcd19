namespace MlOps.Monitoring;

/// <summary>Time on the wire: microseconds since 1970-01-01T00:00:00Z.</summary>
internal static class Micros
{
    private static readonly long Least = From(DateTimeOffset.MinValue);
    private static readonly long Greatest = From(DateTimeOffset.MaxValue);

    public static long From(DateTimeOffset time) =>
        (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    /// <summary>Whether the time lies in the years 1 to 9999.</summary>
    public static bool IsTime(long micros) => micros >= Least && micros <= Greatest;

    public static DateTimeOffset ToTime(long micros) =>
        DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond);
}
