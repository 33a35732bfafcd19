using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using MlOps.Gateway.Splits.Subjects;

namespace MlOps.Gateway.Splits;

/// <summary>
/// Reads the model's name out of the first message of a gRPC call, whose requests all carry it in field 1 and a version in
/// field 2, and the subject where the body holds it. What is read depends on the message's bytes alone, not on how the network
/// cut them: its first 4 KiB, or, where those hold no name and for the subject, its first 64 KiB. Of a repeated field the last
/// one counts, as in protobuf.
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

    /// <summary>Reads the subject, once <see cref="Look"/> has found the model; false where the bytes so far do not decide.</summary>
    public static bool TryFindSubject(
        in ReadOnlySequence<byte> received, bool isAll, string? encoding, bool isByRows, SubjectField field,
        ref SubjectText subject)
    {
        Span<byte> header = stackalloc byte[HeaderBytes];
        received.Slice(0, HeaderBytes).CopyTo(header);
        var wanted = (int)Math.Min(BinaryPrimitives.ReadUInt32BigEndian(header[1..]), FarBytes);
        if (received.Length - HeaderBytes < wanted && !isAll) return false;

        var message = received.Slice(HeaderBytes, Math.Min(wanted, received.Length - HeaderBytes));
        using var span = ContiguousBytes.Of(message, header[0] == 1 ? encoding ?? "" : null, FarBytes);
        if (isByRows) RowsSubject.Find(span.Bytes, field, ref subject);
        else InferSubject.Find(span.Bytes, field, ref subject);
        return true;
    }

    private static Outcome Read(
        in ReadOnlySequence<byte> message, bool isCompressed, string? encoding, int limit, Span<char> name, out int length)
    {
        using var span = ContiguousBytes.Of(message, isCompressed ? encoding ?? "" : null, limit);
        return Scan(span.Bytes, name, out length);
    }

    /// <summary>Walks the fields of a protobuf message that may be cut off at its end.</summary>
    private static Outcome Scan(ReadOnlySpan<byte> message, Span<char> name, out int length)
    {
        length = 0;
        ReadOnlySpan<byte> found = default;
        bool isNamed = false, namesVersion = false;
        var fields = new ProtoFields(message);
        while (fields.Next())
        {
            if (fields.IsDelimited(2)) namesVersion = fields.IsCut || fields.Content.Length > 0;
            if (!fields.IsDelimited(1) || fields.IsCut) continue;
            found = fields.Content;
            isNamed = true;
        }

        if (!isNamed) return Outcome.Unread;
        if (namesVersion) return Outcome.NamesVersion;
        if (found.Length <= MaxName && Encoding.UTF8.TryGetChars(found, name, out var written)) length = written;
        return Outcome.Named;
    }
}
