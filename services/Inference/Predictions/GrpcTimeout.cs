using System.Globalization;

namespace MlOps.Inference.Predictions;

/// <summary>The deadline a gRPC client sends: <c>grpc-timeout: 250m</c>, at most eight digits and a unit (gRPC over HTTP/2).</summary>
internal static class GrpcTimeout
{
    public const string Header = "grpc-timeout";
    private const int MostDigits = 8;

    /// <param name="header">As it came; empty: none.</param>
    /// <param name="now">Timestamp it counts from.</param>
    /// <param name="time">The clock.</param>
    /// <returns>A timestamp; <see cref="long.MaxValue"/>: there is no deadline.</returns>
    public static long DeadlineOf(string header, long now, TimeProvider time)
    {
        if (header.Length is < 2 or > MostDigits + 1) return long.MaxValue;
        var seconds = header[^1] switch
        {
            'H' => 3600,
            'M' => 60,
            'S' => 1,
            'm' => 1e-3,
            'u' => 1e-6,
            'n' => 1e-9,
            _ => double.NaN,
        };
        return double.IsNaN(seconds) || !int.TryParse(header.AsSpan(..^1), NumberStyles.None, CultureInfo.InvariantCulture, out var count)
            ? long.MaxValue
            : now + (long)(count * seconds * time.TimestampFrequency);
    }
}
