using System.Runtime.InteropServices;
using MlOps.Inference.Models;

namespace MlOps.Inference.Predictions;

/// <summary>One output of one request: row-major values of the layout's datatype, whatever computed them.</summary>
internal sealed class OutputSlot(TensorLayout layout)
{
    private readonly TensorBuffer _values = new(layout.Datatype.Size);

    public TensorLayout Layout => layout;

    public long[] Shape { get; private set; } = [];

    /// <summary>Elements of the shape.</summary>
    public int Count => _values.Count;

    /// <summary>The values as bytes, native order; of text the UTF-8 one after another.</summary>
    public ReadOnlySpan<byte> Bytes => _values.Bytes;

    /// <summary>Where the first value lies, until the slot is begun again.</summary>
    public IntPtr Address => _values.Address;

    public ReadOnlySpan<byte> Text(int element) => _values.Text(element);

    public ReadOnlySpan<T> As<T>() where T : unmanaged => MemoryMarshal.Cast<byte, T>(Bytes);

    /// <summary>The value as a double; NaN for text.</summary>
    public double NumberAt(int i) => layout.Datatype.IsText ? double.NaN : Tensors.NumberAt(layout.Datatype, Bytes, i);

    /// <summary>
    /// Takes a shape, and answers the memory of its values to be filled; empty for text, which is appended one by one.
    /// </summary>
    public Span<byte> Begin(scoped ReadOnlySpan<long> shape)
    {
        if (Shape.Length != shape.Length) Shape = new long[shape.Length];
        shape.CopyTo(Shape);
        _values.Clear();
        if (layout.Datatype.IsText) return [];
        var count = 1L;
        foreach (var size in shape) count *= size;
        return _values.Reserve(checked((int)count));
    }

    /// <summary>Takes some rows of another's, whose first dimension counts them.</summary>
    public void TakeRows(OutputSlot whole, int from, int rows)
    {
        var width = whole.Count / (int)whole.Shape[0];
        var values = Begin([rows, .. whole.Shape.AsSpan(1)]);
        if (!layout.Datatype.IsText)
        {
            whole.Bytes.Slice(from * width * layout.Datatype.Size, values.Length).CopyTo(values);
            return;
        }

        for (var i = from * width; i < (from + rows) * width; i++) AppendText(whole.Text(i));
    }

    /// <summary>Whether shape and values are the other's, to the bit.</summary>
    public bool HasBitsOf(OutputSlot other)
    {
        if (Count != other.Count || !Shape.AsSpan().SequenceEqual(other.Shape) || !Bytes.SequenceEqual(other.Bytes)) return false;
        for (var i = 0; layout.Datatype.IsText && i < Count; i++)
        {
            if (!Text(i).SequenceEqual(other.Text(i))) return false;
        }

        return true;
    }

    public void AppendText(ReadOnlySpan<byte> utf8) => _values.AppendText(utf8);

    public void Clear() => _values.Clear();
}
