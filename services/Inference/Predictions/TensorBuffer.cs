using System.Runtime.InteropServices;

namespace MlOps.Inference.Predictions;

/// <summary>
/// Row-major values of one datatype in memory that does not move and is kept from request to request. Text is the
/// elements' UTF-8 one after another, with the end of each.
/// </summary>
/// <param name="elementSize">Bytes per value; 0: text.</param>
internal sealed class TensorBuffer(int elementSize)
{
    private const int MaxKeptBytes = 512 << 10;
    private byte[] _bytes = GC.AllocateUninitializedArray<byte>(64, pinned: true);
    private int[] _ends = new int[elementSize == 0 ? 8 : 0];
    private int _length;

    /// <summary>Elements there are.</summary>
    public int Count { get; private set; }

    /// <summary>The values as bytes, native order.</summary>
    public ReadOnlySpan<byte> Bytes => _bytes.AsSpan(0, _length);

    /// <summary>Where the first value lies, until the buffer grows or is cleared.</summary>
    public IntPtr Address => Marshal.UnsafeAddrOfPinnedArrayElement(_bytes, 0);

    public void Clear()
    {
        Count = _length = 0;
        if (_bytes.Length > MaxKeptBytes) _bytes = GC.AllocateUninitializedArray<byte>(64, pinned: true);
        if (_ends.Length > MaxKeptBytes / sizeof(int)) _ends = new int[8];
    }

    /// <summary>Room for the next <paramref name="elements"/> values of a fixed size; what lies there is undefined.</summary>
    public Span<byte> Reserve(int elements)
    {
        var start = _length;
        Grow(elements * elementSize);
        Count += elements;
        return _bytes.AsSpan(start, _length - start);
    }

    public void AppendText(ReadOnlySpan<byte> utf8)
    {
        var start = _length;
        Grow(utf8.Length);
        utf8.CopyTo(_bytes.AsSpan(start));
        if (Count == _ends.Length) Array.Resize(ref _ends, Count * 2);
        _ends[Count++] = _length;
    }

    public ReadOnlySpan<byte> Text(int element)
    {
        var start = element == 0 ? 0 : _ends[element - 1];
        return _bytes.AsSpan(start, _ends[element] - start);
    }

    /// <summary>Writes over a value there is.</summary>
    public void Set<T>(int element, T value) where T : unmanaged =>
        MemoryMarshal.Write(_bytes.AsSpan(element * elementSize, elementSize), value);

    /// <summary>Writes over values there are, as their bytes.</summary>
    public void Set(int offset, ReadOnlySpan<byte> values) => values.CopyTo(_bytes.AsSpan(offset, values.Length));

    /// <summary>Keeps the first values; the memory stays.</summary>
    public void Truncate(int elements)
    {
        Count = elements;
        _length = elementSize > 0 ? elements * elementSize : elements == 0 ? 0 : _ends[elements - 1];
    }

    /// <summary>Takes out rows of so many values each; the others move up.</summary>
    public void RemoveRows(ReadOnlySpan<bool> isBad, int width)
    {
        var (kept, length) = (0, 0);
        for (var (row, start) = (0, 0); row < isBad.Length; row++)
        {
            var end = elementSize > 0 ? (row + 1) * width * elementSize : _ends[((row + 1) * width) - 1];
            if (!isBad[row])
            {
                _bytes.AsSpan(start, end - start).CopyTo(_bytes.AsSpan(length));
                for (var at = 0; elementSize == 0 && at < width; at++)
                {
                    _ends[kept + at] = length + _ends[(row * width) + at] - start;
                }

                kept += width;
                length += end - start;
            }

            start = end;
        }

        (Count, _length) = (kept, length);
    }

    private void Grow(int bytes)
    {
        var needed = checked(_length + bytes);
        if (needed > _bytes.Length)
        {
            var larger = GC.AllocateUninitializedArray<byte>((int)Math.Min(Array.MaxLength, Math.Max(needed, _bytes.Length * 2L)), pinned: true);
            Bytes.CopyTo(larger);
            _bytes = larger;
        }

        _length = needed;
    }
}
