using System.Buffers;
using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;

namespace MlOps.Gateway.Splits;

/// <summary>
/// Reads the model's name out of the first message of a gRPC call, whose requests all carry it in field 1 and a version in
/// field 2. What is read depends on the message's bytes alone, not on how the network cut them: its first 4 KiB, or,
/// where those hold no name, its first 64 KiB. Of a repeated field the last one counts, as in protobuf.
/// </summary>
internal static class FirstMessage
{
    /// <summary>Flag byte and length before each message, as in "00 00 00 00 6d".</summary>
    public const int HeaderBytes = 5;

    /// <summary>What is looked at when the name stands where serialisers put it.</summary>
    public const int NearBytes = 4 * 1024;

    /// <summary>What is looked at, and held back at most, when it does not.</summary>
    public const int FarBytes = 64 * 1024;

    /// <summary>The longest name a model can have.</summary>
    public const int MaxName = 255;

    internal enum Outcome
    {
        /// <summary>The bytes received so far do not decide.</summary>
        NeedsMore,

        /// <summary>The name is read, and no version is asked for.</summary>
        Named,

        /// <summary>The caller asks for a version itself.</summary>
        NamesVersion,

        /// <summary>No name within the bytes looked at, or a compression not known here.</summary>
        Unread,
    }

    /// <param name="received">The call's bytes from its first on.</param>
    /// <param name="isAll">No more bytes will come.</param>
    /// <param name="encoding">Of a compressed message: gzip or deflate.</param>
    /// <param name="name">At least <see cref="MaxName"/> characters; takes the name.</param>
    /// <param name="length">Characters of the name; 0 when it is longer than any model's.</param>
    public static Outcome Look(
        in ReadOnlySequence<byte> received, bool isAll, string? encoding, Span<char> name, out int length)
    {
        length = 0;
        if (received.Length < HeaderBytes) return isAll ? Outcome.Unread : Outcome.NeedsMore;

        Span<byte> header = stackalloc byte[HeaderBytes];
        received.Slice(0, HeaderBytes).CopyTo(header);
        var isCompressed = header[0] == 1;
        long size = BinaryPrimitives.ReadUInt32BigEndian(header[1..]);

        for (var limit = NearBytes; ; limit = FarBytes)
        {
            var wanted = (int)Math.Min(size, limit);
            if (received.Length - HeaderBytes < wanted) return isAll ? Outcome.Unread : Outcome.NeedsMore;

            var outcome = Read(received.Slice(HeaderBytes, wanted), isCompressed, encoding, limit, name, out length);
            if (outcome != Outcome.Unread || wanted == size || limit == FarBytes) return outcome;
        }
    }

    private static Outcome Read(
        in ReadOnlySequence<byte> message, bool isCompressed, string? encoding, int limit, Span<char> name, out int length)
    {
        if (isCompressed) return Scan(Inflate(message, encoding, limit), name, out length);
        if (message.IsSingleSegment) return Scan(message.FirstSpan, name, out length);

        // The server's buffers are as small as the near limit, so a message often lies across two of them.
        var copy = ArrayPool<byte>.Shared.Rent((int)message.Length);
        message.CopyTo(copy);
        var outcome = Scan(copy.AsSpan(0, (int)message.Length), name, out length);
        ArrayPool<byte>.Shared.Return(copy);
        return outcome;
    }

    /// <summary>Walks the fields of a protobuf message that may be cut off at its end.</summary>
    private static Outcome Scan(ReadOnlySpan<byte> message, Span<char> name, out int length)
    {
        length = 0;
        ReadOnlySpan<byte> found = default;
        bool isNamed = false, namesVersion = false;
        while (TryReadVarint(ref message, out var tag) && tag >> 3 != 0)
        {
            ulong size;
            switch (tag & 7)
            {
                case 0: // variable-length number
                    if (!TryReadVarint(ref message, out _)) message = default;
                    continue;
                case 1: // 8 bytes
                    size = 8;
                    break;
                case 2: // length and that many bytes
                    if (!TryReadVarint(ref message, out size)) size = ulong.MaxValue;
                    break;
                case 5: // 4 bytes
                    size = 4;
                    break;
                default: // groups and nonsense: whatever follows cannot be told apart
                    size = ulong.MaxValue;
                    break;
            }

            if (tag == (2 << 3 | 2)) namesVersion = size > 0;
            if (size > (ulong)message.Length) break;
            if (tag == (1 << 3 | 2))
            {
                found = message[..(int)size];
                isNamed = true;
            }

            message = message[(int)size..];
        }

        if (!isNamed) return Outcome.Unread;
        if (namesVersion) return Outcome.NamesVersion;
        if (found.Length <= MaxName && Encoding.UTF8.TryGetChars(found, name, out var written)) length = written;
        return Outcome.Named;
    }

    private static bool TryReadVarint(ref ReadOnlySpan<byte> bytes, out ulong value)
    {
        value = 0;
        for (var i = 0; i < bytes.Length && i < 10; i++)
        {
            value |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] >= 0x80) continue;
            bytes = bytes[(i + 1)..];
            return true;
        }

        return false;
    }

    /// <summary>The start of the message, at most <paramref name="limit"/> bytes; empty where the compression is unknown.</summary>
    private static ReadOnlySpan<byte> Inflate(in ReadOnlySequence<byte> compressed, string? encoding, int limit)
    {
        using var source = new MemoryStream(compressed.ToArray());
        using Stream? inflating = encoding switch
        {
            "gzip" => new GZipStream(source, CompressionMode.Decompress),
            // gRPC's deflate is zlib's format (RFC 1950).
            "deflate" => new ZLibStream(source, CompressionMode.Decompress),
            _ => null,
        };
        if (inflating is null) return default;

        var inflated = new byte[limit];
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

        return inflated.AsSpan(0, length);
    }
}
