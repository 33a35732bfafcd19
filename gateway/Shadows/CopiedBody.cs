using System.Buffers;
using MlOps.Gateway.Routes;

namespace MlOps.Gateway.Shadows;

/// <summary>
/// A request's body on its way to the service, kept as it passes. It is read as fast as without; one that is too large, or for
/// which there is no room, passes without being kept.
/// </summary>
internal sealed class CopiedBody(Stream body, long? length, ShadowBudget budget, int most) : RequestBodyStream
{
    private const int FirstBytes = 1024;
    private readonly Lock _gate = new();
    private byte[] _kept = [];
    private int _count;
    private bool _isWhole;
    private bool _isLetGo;

    /// <summary>There was more of it than may be copied.</summary>
    public bool IsTooLarge { get; private set; }

    /// <summary>There was no room for it.</summary>
    public bool IsCrowdedOut { get; private set; }

    public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        var read = await body.ReadAsync(buffer, cancellationToken);
        if (read > 0 || buffer.Length > 0) Keep(buffer.Span[..read]);
        return read;
    }

    /// <summary>
    /// What was kept, which is the taker's and in the budget until given back; null: not the whole of it passed. Nothing is kept
    /// from then on.
    /// </summary>
    public byte[]? Take()
    {
        lock (_gate)
        {
            var whole = _isWhole && !_isLetGo && budget.TryTake(_count) ? _kept.AsSpan(0, _count).ToArray() : null;
            LetGo();
            return whole;
        }
    }

    private void Keep(ReadOnlySpan<byte> bytes)
    {
        lock (_gate)
        {
            if (_isLetGo || _isWhole) return;
            if (bytes.IsEmpty)
            {
                _isWhole = true;
                return;
            }

            if (_count + bytes.Length > most) IsTooLarge = true;
            else if (!TryMakeRoom(_count + bytes.Length)) IsCrowdedOut = true;
            if (IsTooLarge || IsCrowdedOut)
            {
                LetGo();
                return;
            }

            bytes.CopyTo(_kept.AsSpan(_count));
            _count += bytes.Length;
            // A forwarder that knows the length does not read on to see the end.
            _isWhole = _count == length;
        }
    }

    private bool TryMakeRoom(int bytes)
    {
        if (bytes <= _kept.Length) return true;
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(FirstBytes, Math.Max(bytes, 2 * _count)));
        if (!budget.TryTake(larger.Length))
        {
            ArrayPool<byte>.Shared.Return(larger);
            return false;
        }

        _kept.AsSpan(0, _count).CopyTo(larger);
        GiveBack();
        _kept = larger;
        return true;
    }

    // Nothing more is kept: what passes after this is not the whole either.
    private void LetGo()
    {
        GiveBack();
        (_kept, _count, _isLetGo) = ([], 0, true);
    }

    private void GiveBack()
    {
        if (_kept.Length == 0) return;
        budget.Give(_kept.Length);
        ArrayPool<byte>.Shared.Return(_kept);
    }
}
