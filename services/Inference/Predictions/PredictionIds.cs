using System.Security.Cryptography;

namespace MlOps.Inference.Predictions;

/// <summary>
/// Makes ids of predictions: UUIDs of version 7 (RFC 9562), in the order of time to the millisecond, the rest random. The
/// system is asked for randomness once for hundreds of them, where <see cref="Guid.CreateVersion7()"/> asks each time.
/// </summary>
internal sealed class PredictionIds : IDisposable
{
    private const int Size = 16;
    private const int Kept = 256;
    private readonly ThreadLocal<Supply> _supplies = new(() => new Supply());

    public Guid New(DateTimeOffset now)
    {
        // The factory never answers null.
        Span<byte> id = _supplies.Value!.Take();
        var millis = now.ToUnixTimeMilliseconds();
        for (var i = 0; i < 6; i++) id[i] = (byte)(millis >> (40 - (8 * i)));
        id[6] = (byte)(0x70 | (id[6] & 0x0F));
        id[8] = (byte)(0x80 | (id[8] & 0x3F));
        return new Guid(id, bigEndian: true);
    }

    public void Dispose() => _supplies.Dispose();

    private sealed class Supply
    {
        private readonly byte[] _random = new byte[Size * Kept];
        private int _used = Kept;

        public Span<byte> Take()
        {
            if (_used == Kept)
            {
                RandomNumberGenerator.Fill(_random);
                _used = 0;
            }

            return _random.AsSpan(Size * _used++, Size);
        }
    }
}
