using System.Buffers;
using System.Buffers.Binary;
using System.IO.Pipelines;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using MlOps.Gateway.Access;
using MlOps.Gateway.Routes;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.JsonCalls;

/// <summary>
/// A JSON body read as the gRPC messages it stands for: one object, or, for a call that takes a stream, one object a line. It is
/// read only as far as somebody asks for messages, so nobody who is refused makes the gateway parse anything.
/// </summary>
internal sealed class JsonRequest(JsonCall call, PipeReader json, long longest) : RequestBodyStream
{
    private static readonly UTF8Encoding Strict = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);
    private ReadOnlyMemory<byte> _pending;
    private bool _isRead;

    /// <summary>What was wrong with it; null: nothing so far.</summary>
    public Refusal? Refusal { get; private set; }

    /// <exception cref="RefusedException">The body is no such message, or too large.</exception>
    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (buffer.IsEmpty) return 0;
        while (_pending.IsEmpty)
        {
            if (_isRead) return 0;
            _pending = await NextAsync(cancellationToken);
        }

        var taken = Math.Min(_pending.Length, buffer.Length);
        _pending[..taken].CopyTo(buffer);
        _pending = _pending[taken..];
        return taken;
    }

    // The next message with its header; empty at the end of a stream, and for an empty line.
    private async ValueTask<ReadOnlyMemory<byte>> NextAsync(CancellationToken ct)
    {
        while (true)
        {
            var result = await ReadJsonAsync(ct);
            var buffer = result.Buffer;
            var end = call.Method.IsClientStreaming ? buffer.PositionOf((byte)'\n') : null;
            if (end is null && !result.IsCompleted)
            {
                if (buffer.Length > longest) Refuse(TooLarge);
                json.AdvanceTo(buffer.Start, buffer.End);
                continue;
            }

            _isRead = end is null;
            var frame = Frame(end is { } newline ? buffer.Slice(0, newline) : buffer);
            json.AdvanceTo(end is { } at ? buffer.GetPosition(1, at) : buffer.End);
            return frame;
        }
    }

    private async ValueTask<ReadResult> ReadJsonAsync(CancellationToken ct)
    {
        try
        {
            return await json.ReadAsync(ct);
        }
        catch (BadHttpRequestException e) when (e.StatusCode == StatusCodes.Status413PayloadTooLarge)
        {
            Refuse(TooLarge);
        }
        catch (BadHttpRequestException e)
        {
            Refuse(Malformed(e.Message));
        }

        throw new InvalidOperationException("Both refusals throw.");
    }

    private byte[] Frame(in ReadOnlySequence<byte> utf8)
    {
        if (utf8.Length > longest) Refuse(TooLarge);
        var message = Parse(utf8);
        if (message is null) return [];
        var size = message.CalculateSize();
        if (size > ClientExtensions.MaxMessageSize) Refuse(TooLarge);
        // Flag byte and length before each message, as in "00 00 00 00 6d".
        var frame = new byte[GrpcFrames.HeaderBytes + size];
        BinaryPrimitives.WriteInt32BigEndian(frame.AsSpan(1), size);
        message.WriteTo(frame.AsSpan(GrpcFrames.HeaderBytes));
        return frame;
    }

    private IMessage? Parse(in ReadOnlySequence<byte> utf8)
    {
        try
        {
            var text = Strict.GetString(utf8);
            if (!string.IsNullOrWhiteSpace(text)) return call.Parse(text);
            return call.Method.IsClientStreaming ? null : call.Parse("{}");
        }
        catch (Exception e) when (e is InvalidJsonException or InvalidProtocolBufferException or FormatException or OverflowException)
        {
            Refuse(Malformed($"The body is not the JSON of {call.Method.InputType.FullName}: {e.Message}"));
        }
        catch (DecoderFallbackException)
        {
            Refuse(Malformed("The body is not UTF-8."));
        }

        return null;
    }

    private void Refuse(Refusal refusal)
    {
        Refusal = refusal;
        throw new RefusedException(refusal);
    }

    private Refusal TooLarge => new(
        StatusCode.ResourceExhausted, StatusCodes.Status413PayloadTooLarge, "REQUEST_TOO_LARGE",
        $"A message is larger than the gateway takes, which is {longest} bytes of JSON.");

    private static Refusal Malformed(string message) => new(
        StatusCode.InvalidArgument, StatusCodes.Status400BadRequest, "REQUEST_MALFORMED", message);
}
