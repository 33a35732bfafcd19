using MlOps.Gateway.Routes;

namespace MlOps.Gateway.Splits;

/// <summary>Bytes already read, then the rest of the stream they were read from.</summary>
internal sealed class PrefixedStream(ReadOnlyMemory<byte> prefix, Stream rest) : RequestBodyStream
{
    private ReadOnlyMemory<byte> _left = prefix;

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_left.IsEmpty) return rest.ReadAsync(buffer, cancellationToken);
        var taken = Math.Min(_left.Length, buffer.Length);
        _left[..taken].CopyTo(buffer);
        _left = _left[taken..];
        return ValueTask.FromResult(taken);
    }
}
