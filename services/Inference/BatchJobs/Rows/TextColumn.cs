namespace MlOps.Inference.BatchJobs.Rows;

/// <summary>How a kept value has to be written.</summary>
internal enum TextKind : byte
{
    Missing,

    /// <summary>Text that needs no quotes in CSV.</summary>
    Plain,

    Text,

    /// <summary>A JSON number, true or false, as it came.</summary>
    Literal,
}

/// <summary>Texts of a column, one a row, in one array that is kept from chunk to chunk.</summary>
internal sealed class TextColumn
{
    private byte[] _bytes = new byte[4096];
    private int[] _ends = new int[256];
    private TextKind[] _kinds = new TextKind[256];
    private int _length;

    public int Count { get; private set; }

    public TextKind Kind(int row) => _kinds[row];

    public ReadOnlySpan<byte> this[int row]
    {
        get
        {
            var start = row == 0 ? 0 : _ends[row - 1];
            return _bytes.AsSpan(start, _ends[row] - start);
        }
    }

    public void Add(ReadOnlySpan<byte> utf8, TextKind kind)
    {
        utf8.CopyTo(Reserve(utf8.Length));
        End(utf8.Length, kind);
    }

    /// <summary>Room for the next text; <see cref="End"/> says how much of it was used.</summary>
    public Span<byte> Reserve(int bytes)
    {
        if (_length + bytes > _bytes.Length) Array.Resize(ref _bytes, Math.Max(_length + bytes, _bytes.Length * 2));
        return _bytes.AsSpan(_length, bytes);
    }

    public void End(int bytes, TextKind kind)
    {
        if (Count == _ends.Length)
        {
            Array.Resize(ref _ends, Count * 2);
            Array.Resize(ref _kinds, Count * 2);
        }

        _length += bytes;
        _ends[Count] = _length;
        _kinds[Count++] = kind;
    }

    public void Truncate(int rows)
    {
        if (rows >= Count) return;
        Count = rows;
        _length = rows == 0 ? 0 : _ends[rows - 1];
    }

    /// <summary>Keeps the rows that are not bad.</summary>
    public void RemoveRows(ReadOnlySpan<bool> isBad)
    {
        var (rows, kept, length) = (Count, 0, 0);
        for (var (row, start) = (0, 0); row < rows; row++)
        {
            var end = _ends[row];
            if (!isBad[row])
            {
                _bytes.AsSpan(start, end - start).CopyTo(_bytes.AsSpan(length));
                length += end - start;
                _ends[kept] = length;
                _kinds[kept++] = _kinds[row];
            }

            start = end;
        }

        (Count, _length) = (kept, length);
    }
}
