using System.Globalization;

namespace MlOps.Gateway.Resilience;

/// <summary>The header <c>grpc-timeout</c>: at most eight digits and a unit, as in <c>200m</c> for 200 ms.</summary>
internal static class GrpcTimeout
{
    public const string Header = "grpc-timeout";

    /// <summary>Null: it is none.</summary>
    public static TimeSpan? Parse(string? text)
    {
        if (text is not { Length: >= 2 and <= 9 } || !long.TryParse(text.AsSpan(0, text.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var value))
            return null;
        return text[^1] switch
        {
            'H' => TimeSpan.FromHours(value),
            'M' => TimeSpan.FromMinutes(value),
            'S' => TimeSpan.FromSeconds(value),
            'm' => TimeSpan.FromMilliseconds(value),
            'u' => TimeSpan.FromMicroseconds(value),
            'n' => TimeSpan.FromTicks(value / TimeSpan.NanosecondsPerTick),
            _ => null,
        };
    }

    public static string Of(TimeSpan left)
    {
        var milliseconds = Math.Max(1, (long)left.TotalMilliseconds);
        return milliseconds < 100_000_000 ? $"{milliseconds}m" : $"{Math.Min(99_999_999, (long)left.TotalSeconds)}S";
    }

    /// <summary>Takes off what is over already.</summary>
    public static void Shorten(IHeaderDictionary headers, TimeSpan elapsed)
    {
        if (Parse(headers[Header]) is { } whole) headers[Header] = Of(whole - elapsed);
    }
}
