using System.Buffers;
using System.Globalization;
using System.IO.Pipelines;
using System.Runtime.CompilerServices;
using MlOps.Gateway.Splits.Subjects;

namespace MlOps.Gateway.Splits;

/// <summary>What the beginning of a body decided.</summary>
/// <param name="Split">Null: nothing is to be split.</param>
/// <param name="Subject">Null: the body has none, or the header has it.</param>
/// <param name="IsUnread">No model could be read out of a call that must have one.</param>
internal readonly record struct Peeked(Split? Split, string? Subject, bool IsUnread = false);

/// <summary>A question to the beginning of a body.</summary>
internal interface IPeek
{
    /// <summary>What is held back at most before it must be answered.</summary>
    int MostBytes { get; }

    /// <summary>How many bytes it wants before it looks again, having looked at so many.</summary>
    int NextLook(int lookedAt);

    /// <summary>False while the bytes so far do not decide; the last ones, or the most of them, do.</summary>
    bool TryLook(in ReadOnlySequence<byte> received, bool isLast, out Peeked peeked);
}

/// <summary>Looks at the beginning of a request's body and leaves it for the forwarder as it was.</summary>
internal static class BodyPeek
{
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public static async ValueTask<Peeked> LookAsync<TPeek>(HttpContext http, TPeek peek, CancellationToken ct)
        where TPeek : struct, IPeek
    {
        var reader = http.Request.BodyReader;
        var most = (int)Math.Min(peek.MostBytes, http.Request.ContentLength ?? long.MaxValue);
        var result = await reader.ReadAsync(ct);
        if (peek.TryLook(Cut(result.Buffer, most), IsLast(result, 0, most), out var peeked))
        {
            // Neither consumed nor examined: the forwarder reads the same bytes at once.
            reader.AdvanceTo(result.Buffer.Start);
            return peeked;
        }

        return await HoldAsync(http, reader, result, peek, most, ct);
    }

    // Bytes must be consumed to be credited to the client's flow-control window: reading on while only examining them
    // stalls the stream. So they are held here and put before the rest.
    private static async ValueTask<Peeked> HoldAsync<TPeek>(
        HttpContext http, PipeReader reader, ReadResult result, TPeek peek, int most, CancellationToken ct)
        where TPeek : struct, IPeek
    {
        var rest = http.Request.Body;
        var held = new ArrayBufferWriter<byte>(1024);
        var nextLook = peek.NextLook((int)Math.Min(result.Buffer.Length, most));
        while (true)
        {
            var isLast = IsLast(result, held.WrittenCount, most);
            var taken = Cut(result.Buffer, most - held.WrittenCount);
            foreach (var segment in taken) held.Write(segment.Span);
            reader.AdvanceTo(taken.End);

            if (isLast || held.WrittenCount >= nextLook)
            {
                nextLook = peek.NextLook(held.WrittenCount);
                if (peek.TryLook(new ReadOnlySequence<byte>(held.WrittenMemory), isLast, out var peeked))
                {
                    http.Request.Body = new PrefixedStream(held.WrittenMemory, rest);
                    return peeked;
                }
            }

            result = await reader.ReadAsync(ct);
        }
    }

    private static ReadOnlySequence<byte> Cut(in ReadOnlySequence<byte> bytes, int most) =>
        bytes.Slice(0, Math.Min(bytes.Length, most));

    private static bool IsLast(in ReadResult result, int held, int most) =>
        result.IsCompleted || held + result.Buffer.Length >= most;
}

/// <summary>Reads model and subject of a gRPC call out of its first message.</summary>
internal readonly struct CallPeek(HttpRequest request, PolicySnapshot policies, bool isByRows) : IPeek
{
    public int MostBytes => FirstMessage.HeaderBytes + FirstMessage.FarBytes;

    // That it is too early costs nothing to see, and a stream may send no more before it is answered.
    public int NextLook(int lookedAt) => lookedAt + 1;

    public bool TryLook(in ReadOnlySequence<byte> received, bool isLast, out Peeked peeked)
    {
        string? encoding = request.Headers.GrpcEncoding;
        Span<char> name = stackalloc char[FirstMessage.MaxName];
        var outcome = FirstMessage.Look(received, isLast, encoding, name, out var length);
        var split = outcome == FirstMessage.Outcome.Named ? policies.Find(name[..length]) : null;
        peeked = new Peeked(split, null, outcome == FirstMessage.Outcome.Unread);
        if (split?.SubjectField is not { } field || split.HasSubject(request.Headers))
            return outcome != FirstMessage.Outcome.NeedsMore;

        var subject = default(SubjectText);
        if (!FirstMessage.TryFindSubject(received, isLast, encoding, isByRows, field, ref subject)) return false;
        if (subject.Length > 0) peeked = new Peeked(split, subject.Value.ToString());
        return true;
    }
}

/// <summary>Reads the subject of a REST request out of the first 64 KiB of its body, inflated where it is compressed.</summary>
internal readonly struct RestPeek(HttpRequest request, Split split, SubjectField field) : IPeek
{
    /// <summary>Where raw tensors follow the JSON (the binary tensor extension): the JSON's length.</summary>
    private const string JsonLengthHeader = "Inference-Header-Content-Length";

    public int MostBytes => FirstMessage.FarBytes;

    // A look begins at the first byte again, so bytes that trickle in are not looked at one by one.
    public int NextLook(int lookedAt) => lookedAt + Math.Max(256, lookedAt / 2);

    public bool TryLook(in ReadOnlySequence<byte> received, bool isLast, out Peeked peeked)
    {
        var subject = default(SubjectText);
        peeked = new Peeked(split, null);
        if (Find(received, isAll: isLast && received.Length < MostBytes, ref subject) == JsonSubject.Outcome.NeedsMore && !isLast)
            return false;
        if (subject.Length > 0) peeked = new Peeked(split, subject.Value.ToString());
        return true;
    }

    private JsonSubject.Outcome Find(in ReadOnlySequence<byte> received, bool isAll, ref SubjectText subject)
    {
        var jsonLength = long.TryParse(request.Headers[JsonLengthHeader], NumberStyles.None, null, out var length) ? length : -1;
        if (request.Headers.ContentEncoding.Count == 0) return JsonSubject.Find(received, isAll, jsonLength, field, ref subject);

        using var inflated = ContiguousBytes.Of(received, request.Headers.ContentEncoding.ToString(), MostBytes);
        return JsonSubject.Find(
            new ReadOnlySequence<byte>(inflated.Bytes.ToArray()), isAll && inflated.Bytes.Length < MostBytes, jsonLength, field,
            ref subject);
    }
}
