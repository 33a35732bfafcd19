using System.IO.Compression;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>Compression of HTTP bodies: gzip, and deflate, which HTTP means in its zlib wrapping (RFC 9110, 8.4.1.2).</summary>
internal static class BodyEncoding
{
    /// <summary>What a first flight of TCP packets carries: compressing less saves no round trip.</summary>
    public const int MinBytes = 16 << 10;

    /// <summary>Bounds what a small compressed body may grow to.</summary>
    public const int MaxBytes = ClientExtensions.MaxMessageSize;

    /// <summary>The decompressed body; null when it is not compressed.</summary>
    /// <exception cref="InvalidRequestException">ENCODING_UNKNOWN: compressed otherwise.</exception>
    public static Stream? Open(HttpRequest request) => request.Headers.ContentEncoding.ToString().ToLowerInvariant() switch
    {
        "" or "identity" => null,
        "gzip" or "x-gzip" => new GZipStream(request.Body, CompressionMode.Decompress),
        "deflate" => new ZLibStream(request.Body, CompressionMode.Decompress),
        _ => throw new InvalidRequestException("ENCODING_UNKNOWN", "The body may be compressed by gzip or deflate, not otherwise."),
    };

    /// <summary>The first encoding served that the caller takes; null: none is asked for.</summary>
    public static string? Choose(HttpRequest request)
    {
        foreach (var header in request.Headers.AcceptEncoding)
        {
            foreach (var range in header.AsSpan().Split(','))
            {
                var asked = header.AsSpan()[range];
                var end = asked.IndexOf(';');
                var name = (end < 0 ? asked : asked[..end]).Trim();
                if (end >= 0 && IsRefused(asked[(end + 1)..])) continue;
                if (name.Equals("gzip", StringComparison.OrdinalIgnoreCase)) return "gzip";
                if (name.Equals("deflate", StringComparison.OrdinalIgnoreCase)) return "deflate";
            }
        }

        return null;
    }

    public static MemoryStream Compress(ReadOnlySpan<byte> body, string encoding)
    {
        var compressed = new MemoryStream(body.Length / 4);
        using Stream to = encoding == "gzip"
            ? new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true)
            : new ZLibStream(compressed, CompressionLevel.Fastest, leaveOpen: true);
        to.Write(body);
        return compressed;
    }

    // A weight of nothing: "gzip;q=0".
    private static bool IsRefused(ReadOnlySpan<char> weight)
    {
        weight = weight.Trim();
        return weight.StartsWith("q=0", StringComparison.OrdinalIgnoreCase) && weight[3..].TrimStart('.').TrimStart('0').IsEmpty;
    }
}
