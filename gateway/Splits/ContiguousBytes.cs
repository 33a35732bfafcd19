using System.Buffers;
using System.IO.Compression;

namespace MlOps.Gateway.Splits;

/// <summary>
/// The beginning of a body in one piece: as it lies there where it lies in one, else copied, and inflated where it is
/// compressed. Never more than the limit.
/// </summary>
internal readonly ref struct ContiguousBytes
{
    private readonly byte[]? _rented;

    private ContiguousBytes(ReadOnlySpan<byte> bytes, byte[]? rented)
    {
        Bytes = bytes;
        _rented = rented;
    }

    public ReadOnlySpan<byte> Bytes { get; }

    /// <param name="bytes">At most the limit.</param>
    /// <param name="encoding">Null: not compressed. Unknown ones leave nothing to read.</param>
    /// <param name="limit">Bytes to inflate at most.</param>
    public static ContiguousBytes Of(in ReadOnlySequence<byte> bytes, string? encoding, int limit)
    {
        if (encoding is not null) return Inflate(bytes, encoding, limit);
        if (bytes.IsSingleSegment) return new ContiguousBytes(bytes.FirstSpan, null);

        // The server's buffers are as small as the near limit, so a message often lies across two of them.
        var copy = ArrayPool<byte>.Shared.Rent((int)bytes.Length);
        bytes.CopyTo(copy);
        return new ContiguousBytes(copy.AsSpan(0, (int)bytes.Length), copy);
    }

    public void Dispose()
    {
        if (_rented is not null) ArrayPool<byte>.Shared.Return(_rented);
    }

    private static ContiguousBytes Inflate(in ReadOnlySequence<byte> compressed, string encoding, int limit)
    {
        using var source = new MemoryStream(compressed.ToArray());
        using Stream? inflating = encoding switch
        {
            "gzip" => new GZipStream(source, CompressionMode.Decompress),
            // The deflate of gRPC and HTTP is zlib's format (RFC 1950).
            "deflate" => new ZLibStream(source, CompressionMode.Decompress),
            _ => null,
        };
        if (inflating is null) return default;

        var inflated = ArrayPool<byte>.Shared.Rent(limit);
        var length = 0;
        try
        {
            int read;
            while (length < limit && (read = inflating.Read(inflated, length, limit - length)) > 0) length += read;
        }
        catch (InvalidDataException)
        {
            // Cut off or broken: what came out before stands, and the service judges the rest.
        }

        return new ContiguousBytes(inflated.AsSpan(0, length), inflated);
    }
}
