using MlOps.Gateway.Routes;

namespace MlOps.Gateway.Resilience;

/// <summary>A request's body that can be sent again: its first <see cref="MostBytes"/> are kept as they are read.</summary>
internal sealed class ReplayBody(Stream body) : RequestBodyStream
{
    public const int MostBytes = 64 * 1024;
    private byte[] _kept = [];
    private int _length;
    private int _at;

    /// <summary>False once more was read than is kept.</summary>
    public bool CanReplay { get; private set; } = true;

    /// <summary>Whether anybody has read of it.</summary>
    public bool IsTouched => _length > 0 || !CanReplay;

    /// <summary>From its beginning again; what was not read yet follows.</summary>
    public void Rewind() => _at = 0;

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        if (_at < _length)
        {
            var taken = Math.Min(_length - _at, buffer.Length);
            _kept.AsMemory(_at, taken).CopyTo(buffer);
            _at += taken;
            return taken;
        }

        var read = await body.ReadAsync(buffer, cancellationToken);
        Keep(buffer.Span[..read]);
        return read;
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        if (!CanReplay || bytes.IsEmpty) return;
        if (_length + bytes.Length > MostBytes)
        {
            CanReplay = false;
            _kept = [];
            _length = _at = 0;
            return;
        }

        if (_length + bytes.Length > _kept.Length)
            Array.Resize(ref _kept, Math.Min(MostBytes, Math.Max(_length + bytes.Length, Math.Max(1024, _kept.Length * 2))));
        bytes.CopyTo(_kept.AsSpan(_length));
        _length += bytes.Length;
        _at = _length;
    }
}
