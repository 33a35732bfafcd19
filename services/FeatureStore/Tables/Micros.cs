namespace MlOps.FeatureStore.Tables;

/// <summary>Times as whole microseconds since 1970-01-01T00:00:00Z, the resolution of the store and of the wire.</summary>
internal static class Micros
{
    public const long PerSecond = 1_000_000;

    private static readonly long Earliest = FromTicks(DateTime.MinValue.Ticks);
    private static readonly long Latest = FromTicks(DateTime.MaxValue.Ticks);

    /// <summary>The store holds the years 1 to 9999.</summary>
    public static bool IsStorable(long micros) => micros >= Earliest && micros <= Latest;

    public static DateTime ToDateTime(long micros) =>
        new(DateTime.UnixEpoch.Ticks + micros * TimeSpan.TicksPerMicrosecond, DateTimeKind.Utc);

    /// <summary>The time, or the beginning of time when it lies before that.</summary>
    public static DateTime ToDateTimeOrBeginning(long micros) => ToDateTime(Math.Max(micros, Earliest));

    public static long From(DateTime time) => FromTicks(time.Ticks);

    public static long From(DateTimeOffset time) => FromTicks(time.UtcTicks);

    public static long Now(TimeProvider clock) => From(clock.GetUtcNow());

    // Rounds towards the past, so that a time never moves past the moment it names.
    private static long FromTicks(long ticks)
    {
        var (micros, rest) = Math.DivRem(ticks - DateTime.UnixEpoch.Ticks, TimeSpan.TicksPerMicrosecond);
        return rest < 0 ? micros - 1 : micros;
    }
}
