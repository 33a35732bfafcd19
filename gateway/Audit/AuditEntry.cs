using System.Buffers;
using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;

namespace MlOps.Gateway.Audit;

/// <summary>What happened, before it has its place in the chain.</summary>
/// <param name="At">When, to the microsecond.</param>
/// <param name="Actor">Who, as the door knows that one.</param>
/// <param name="Action">The route or call, or what the platform did by itself.</param>
/// <param name="Model">The model it is about; empty: none, or not told.</param>
/// <param name="Target">What else was changed, e.g. the id of a key.</param>
/// <param name="Outcome"><c>begun</c>, <c>done</c>, <c>refused</c>, <c>denied</c> or <c>failed</c>.</param>
/// <param name="Code">The status or stable code of the answer; empty while there is none.</param>
/// <param name="Begun">Sequence of the entry this is the outcome of; 0: none.</param>
/// <param name="Reason">What the caller says about who and why.</param>
/// <param name="Before">JSON of what was, where the change knows it.</param>
/// <param name="After">JSON of what is.</param>
/// <param name="TraceId">32 hex digits; empty: none.</param>
internal sealed record AuditDraft(
    DateTimeOffset At, string Actor, string Action, string Model, string Target, string Outcome, string Code, long Begun,
    string Reason, string? Before, string? After, string TraceId);

/// <summary>An entry in its place in the chain.</summary>
internal sealed record AuditEntry(long Sequence, AuditDraft Draft, byte[] PreviousHash, byte[] Hash)
{
    public static AuditEntry After(long sequence, byte[] previousHash, AuditDraft draft) =>
        new(sequence, draft, previousHash, HashOf(sequence, previousHash, draft));

    /// <summary>Whether the entry is what was hashed.</summary>
    public bool IsIntact => HashOf(Sequence, PreviousHash, Draft).AsSpan().SequenceEqual(Hash);

    // SHA-256 over the hash before, then each field in order: numbers in 8 bytes, texts in UTF-8 behind their length in 4
    // (−1: there is none), all big-endian; so no two entries have the same bytes.
    private static byte[] HashOf(long sequence, byte[] previousHash, AuditDraft draft)
    {
        var bytes = new ArrayBufferWriter<byte>(512);
        bytes.Write(previousHash);
        Put(bytes, sequence);
        Put(bytes, (draft.At - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);
        foreach (var text in new[] { draft.Actor, draft.Action, draft.Model, draft.Target, draft.Outcome, draft.Code }) Put(bytes, text);
        Put(bytes, draft.Begun);
        foreach (var text in new[] { draft.Reason, draft.Before, draft.After, draft.TraceId }) Put(bytes, text);
        return SHA256.HashData(bytes.WrittenSpan);
    }

    private static void Put(ArrayBufferWriter<byte> bytes, long number)
    {
        BinaryPrimitives.WriteInt64BigEndian(bytes.GetSpan(8), number);
        bytes.Advance(8);
    }

    private static void Put(ArrayBufferWriter<byte> bytes, string? text)
    {
        var length = text is null ? -1 : Encoding.UTF8.GetByteCount(text);
        BinaryPrimitives.WriteInt32BigEndian(bytes.GetSpan(4), length);
        bytes.Advance(4);
        if (text is not null) Encoding.UTF8.GetBytes(text, bytes);
    }
}
