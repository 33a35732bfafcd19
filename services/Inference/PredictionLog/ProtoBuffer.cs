using System.Buffers;
using System.Buffers.Binary;
using System.Text;

namespace MlOps.Inference.PredictionLog;

/// <summary>Writes Protocol Buffers into one reused array; nested messages need not know their length beforehand.</summary>
internal sealed class ProtoBuffer
{
    // Tag and longest length of the frame around everything written.
    private const int FrameRoom = 6;
    private const int KeptBytes = 4 << 10;
    private readonly byte[] _kept = new byte[KeptBytes];
    private byte[] _bytes;
    private int _length = FrameRoom;

    public ProtoBuffer() => _bytes = _kept;

    /// <summary>Begins anew. What <see cref="Framed"/> gave before is no longer this one's.</summary>
    public void Clear()
    {
        _length = FrameRoom;
        if (_bytes == _kept) return;
        ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = _kept;
    }

    /// <summary>All that was written as the value of a length-delimited <paramref name="field"/>, tag and length before it.</summary>
    public ReadOnlyMemory<byte> Framed(int field)
    {
        var size = _length - FrameRoom;
        var start = FrameRoom - VarintSize((uint)size) - 1;
        _bytes[start] = (byte)((field << 3) | 2);
        WriteVarintAt(start + 1, (uint)size);
        return _bytes.AsMemory(start, _length - start);
    }

    public void Tag(int field, int wireType) => Varint((uint)((field << 3) | wireType));

    public void Varint(ulong value)
    {
        Reserve(10);
        _length += WriteVarintAt(_length, value);
    }

    public void Integer(int field, long value)
    {
        if (value == 0) return;
        Tag(field, 0);
        Varint((ulong)value);
    }

    public void Double(double value)
    {
        Reserve(8);
        BinaryPrimitives.WriteDoubleLittleEndian(_bytes.AsSpan(_length), value);
        _length += 8;
    }

    public void Double(int field, double value)
    {
        Tag(field, 1);
        Double(value);
    }

    /// <summary>A packed field of <paramref name="count"/> values from <paramref name="start"/> on, each <paramref name="stride"/> apart.</summary>
    public void Doubles(int field, ReadOnlySpan<float> values, int start, int stride, int count)
    {
        Tag(field, 2);
        Varint((uint)(count * sizeof(double)));
        Reserve(count * sizeof(double));
        var to = _bytes.AsSpan(_length, count * sizeof(double));
        for (var i = start; to.Length > 0; i += stride, to = to[sizeof(double)..]) BinaryPrimitives.WriteDoubleLittleEndian(to, values[i]);
        _length += count * sizeof(double);
    }

    public void Byte(byte value)
    {
        Reserve(1);
        _bytes[_length++] = value;
    }

    public void Bytes(int field, ReadOnlySpan<byte> value)
    {
        Tag(field, 2);
        Varint((uint)value.Length);
        Reserve(value.Length);
        value.CopyTo(_bytes.AsSpan(_length));
        _length += value.Length;
    }

    public void Text(int field, string value)
    {
        if (value.Length == 0) return;
        Tag(field, 2);
        var size = Encoding.UTF8.GetByteCount(value);
        Varint((uint)size);
        Reserve(size);
        _length += Encoding.UTF8.GetBytes(value, _bytes.AsSpan(_length));
    }

    /// <summary>Begins a length-delimited field; hand the result to <see cref="End"/>.</summary>
    public int Begin(int field)
    {
        Tag(field, 2);
        Reserve(1);
        return ++_length;
    }

    /// <summary>Writes the length in front of what came since <paramref name="start"/>, moving it when one byte is too few.</summary>
    public void End(int start)
    {
        var size = _length - start;
        var extra = VarintSize((uint)size) - 1;
        if (extra > 0)
        {
            Reserve(extra);
            _bytes.AsSpan(start, size).CopyTo(_bytes.AsSpan(start + extra));
            _length += extra;
        }

        WriteVarintAt(start - 1, (uint)size);
    }

    private int WriteVarintAt(int at, ulong value)
    {
        var start = at;
        while (value >= 0x80)
        {
            _bytes[at++] = (byte)(value | 0x80);
            value >>= 7;
        }

        _bytes[at++] = (byte)value;
        return at - start;
    }

    private static int VarintSize(ulong value)
    {
        var size = 1;
        for (; value >= 0x80; value >>= 7) size++;
        return size;
    }

    private void Reserve(int bytes)
    {
        if (_length + bytes > _bytes.Length) Grow(_length + bytes);
    }

    // A large request's buffer goes back when it is done: it would be garbage of the oldest generation each time.
    private void Grow(int bytes)
    {
        var larger = ArrayPool<byte>.Shared.Rent(Math.Max(bytes, _bytes.Length * 2));
        _bytes.AsSpan(0, _length).CopyTo(larger);
        if (_bytes != _kept) ArrayPool<byte>.Shared.Return(_bytes);
        _bytes = larger;
    }
}
