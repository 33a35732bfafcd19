using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace MlOps.Inference.BatchJobs.Rows;

/// <summary>Times as rows carry them: ISO 8601, without zone taken as UTC, or whole microseconds since the epoch.</summary>
internal static class IsoTime
{
    private static readonly string[] Forms =
    [
        "yyyy-MM-dd", "yyyy-MM-dd'T'HH:mm", "yyyy-MM-dd'T'HH:mm:ss", "yyyy-MM-dd'T'HH:mm:ss.FFFFFF",
        "yyyy-MM-dd'T'HH:mmzzz", "yyyy-MM-dd'T'HH:mm:sszzz", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFzzz",
        "yyyy-MM-dd'T'HH:mm:sszz", "yyyy-MM-dd'T'HH:mm:ss.FFFFFFzz",
    ];

    /// <summary>Microseconds since the epoch; false when the text is no such time.</summary>
    public static bool TryRead(ReadOnlySpan<byte> text, out long micros)
    {
        if (Utf8Parser.TryParse(text, out micros, out var used) && used == text.Length) return true;
        micros = 0;
        if (text.Length is < 10 or > 40) return false;
        // 2001-01-31 14:05:00+00 is PostgreSQL's own form.
        var given = Encoding.UTF8.GetString(text).Replace(' ', 'T').Replace("Z", "+00:00", StringComparison.OrdinalIgnoreCase);
        if (!DateTimeOffset.TryParseExact(
            given, Forms, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time))
        {
            return false;
        }

        micros = (time.UtcTicks - DateTimeOffset.UnixEpoch.UtcTicks) / TimeSpan.TicksPerMicrosecond;
        return true;
    }

    /// <summary>2001-01-31T14:05:00Z, with a fraction where there is one.</summary>
    public static string ToText(long micros) => DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond)
        .ToString("yyyy-MM-dd'T'HH:mm:ss.FFFFFF'Z'", CultureInfo.InvariantCulture);
}
