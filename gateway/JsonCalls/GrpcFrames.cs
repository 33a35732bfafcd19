using System.Buffers;
using System.Buffers.Binary;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.JsonCalls;

/// <summary>Takes a gRPC body apart into its messages, wherever the network cut it.</summary>
internal sealed class GrpcFrames
{
    /// <summary>Flag byte and length before each message.</summary>
    public const int HeaderBytes = 5;

    private readonly ArrayBufferWriter<byte> _held = new();
    private int _at;

    public void Add(ReadOnlySpan<byte> bytes)
    {
        if (_at == _held.WrittenCount)
        {
            _held.ResetWrittenCount();
            _at = 0;
        }

        _held.Write(bytes);
    }

    /// <summary>False until the next message is whole. It is good until more bytes are added.</summary>
    /// <exception cref="InvalidDataException">The message is compressed, which nobody asked for, or larger than any may be.</exception>
    public bool TryNext(out ReadOnlyMemory<byte> message)
    {
        message = default;
        var left = _held.WrittenMemory[_at..];
        if (left.Length < HeaderBytes) return false;
        var size = BinaryPrimitives.ReadUInt32BigEndian(left.Span[1..]);
        if (left.Span[0] != 0 || size > ClientExtensions.MaxMessageSize)
            throw new InvalidDataException($"A message of {size} bytes with flag {left.Span[0]} cannot be told in JSON.");
        if (left.Length - HeaderBytes < size) return false;
        message = left.Slice(HeaderBytes, (int)size);
        _at += HeaderBytes + (int)size;
        return true;
    }
}
