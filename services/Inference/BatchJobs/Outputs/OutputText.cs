namespace MlOps.Inference.BatchJobs.Outputs;

/// <summary>Text of a partition's output, in one array that grows.</summary>
internal sealed class OutputText(int capacity)
{
    private byte[] _bytes = new byte[capacity];

    public int Length { get; private set; }

    public ReadOnlyMemory<byte> Written => _bytes.AsMemory(0, Length);

    /// <summary>Room for at least so many more bytes; <see cref="Advance"/> says how many there are.</summary>
    public Span<byte> Reserve(int bytes)
    {
        if (Length + bytes > _bytes.Length) Array.Resize(ref _bytes, (int)Math.Min(Array.MaxLength, Math.Max(Length + bytes, _bytes.Length * 2L)));
        return _bytes.AsSpan(Length);
    }

    public void Advance(int bytes) => Length += bytes;

    public void Add(ReadOnlySpan<byte> bytes)
    {
        bytes.CopyTo(Reserve(bytes.Length));
        Length += bytes.Length;
    }

    public void Add(byte one)
    {
        Reserve(1)[0] = one;
        Length++;
    }

    public void Add(long number)
    {
        number.TryFormat(Reserve(20), out var written, default, System.Globalization.CultureInfo.InvariantCulture);
        Length += written;
    }

    /// <summary>Shortest text that reads back as the same value; NaN, Infinity and -Infinity by name.</summary>
    public void Add(float number)
    {
        number.TryFormat(Reserve(32), out var written, default, System.Globalization.CultureInfo.InvariantCulture);
        Length += written;
    }

    /// <inheritdoc cref="Add(float)"/>
    public void Add(double number)
    {
        number.TryFormat(Reserve(32), out var written, default, System.Globalization.CultureInfo.InvariantCulture);
        Length += written;
    }
}
