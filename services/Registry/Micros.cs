using Npgsql;

namespace MlOps.Registry;

/// <summary>Time on the wire: microseconds since 1970-01-01T00:00:00Z.</summary>
internal static class Micros
{
    public static long From(DateTimeOffset time) =>
        (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    public static DateTimeOffset ToTime(long micros) =>
        DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond);

    /// <summary>A timestamp column; 0 where it is null.</summary>
    public static long GetMicros(this NpgsqlDataReader row, int column) =>
        row.IsDBNull(column) ? 0 : From(row.GetFieldValue<DateTimeOffset>(column));
}
