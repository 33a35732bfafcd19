using System.Numerics;
using System.Runtime.InteropServices;
using System.Text.Unicode;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Inference.Models;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Predictions;

/// <summary>One input of one request: row-major values of the layout's datatype.</summary>
internal sealed class InputSlot(TensorLayout layout)
{
    private const ushort BFloat16NaN = 0x7FC0;
    private readonly TensorBuffer _values = new(layout.Datatype.Size);
    private long[] _shape = [];

    public TensorLayout Layout => layout;

    public bool IsGiven { get; private set; }

    /// <summary>Elements the shape asks for.</summary>
    public int Expected { get; private set; }

    /// <summary>Elements there are.</summary>
    public int Count => _values.Count;

    public long[] Shape => _shape;

    /// <summary>Rows of the request by this input; 1 when the first dimension is not the batch.</summary>
    public int Rows => layout.IsBatched ? (int)_shape[0] : 1;

    /// <summary>Values of one row; only of a given input with a shape.</summary>
    public int Width => Expected / Rows;

    /// <summary>Rows all of whose values are there; 0 before there is a shape.</summary>
    public int WholeRows => Expected == 0 ? 0 : Count / Width;

    /// <summary>The values as bytes, native order.</summary>
    public ReadOnlySpan<byte> Bytes => _values.Bytes;

    /// <summary>Where the first value lies, until another is added.</summary>
    public IntPtr Address => _values.Address;

    /// <summary>Elements, of text one more per eight bytes.</summary>
    public long LoggedValues => layout.Datatype.IsText ? Count + ((long)Bytes.Length / 8) : Count;

    public void Clear()
    {
        IsGiven = false;
        Expected = 0;
        _values.Clear();
    }

    /// <summary>Marks the input as given; false, with a violation, when it was before.</summary>
    public bool TryBegin(Violations violations)
    {
        violations.AddIf(IsGiven, layout.Name, "is given twice");
        var isFirst = !IsGiven;
        IsGiven = true;
        return isFirst;
    }

    /// <summary>Takes the request's shape; false, with a violation, when datatype or shape is not the layout's.</summary>
    public bool TryShape(string datatype, ReadOnlySpan<long> shape, Violations violations)
    {
        if (datatype != layout.Datatype.Name)
        {
            violations.Add(layout.Name, $"must have datatype {layout.Datatype.Name}, not {Quoted(datatype)}");
            return false;
        }

        if (!layout.Fits(shape))
        {
            violations.Add(layout.Name, $"must have shape {layout.ShapeText}, not [{Joined(shape)}]");
            return false;
        }

        var elements = 1L;
        foreach (var size in shape)
        {
            // 0x7FEFFFFF bytes is the largest array there is.
            if (size > 0x7FEF_FFFF / Math.Max(1, layout.Datatype.Size) / elements)
            {
                violations.Add(layout.Name, $"has a shape of too many elements: [{Joined(shape)}]");
                return false;
            }

            elements *= size;
        }

        if (_shape.Length != shape.Length) _shape = new long[shape.Length];
        shape.CopyTo(_shape);
        Expected = (int)elements;
        return true;
    }

    /// <summary>Takes the other's shape, but that many rows, and no values yet.</summary>
    public void BeginLike(InputSlot other, int rows)
    {
        Clear();
        if (_shape.Length != other._shape.Length) _shape = new long[other._shape.Length];
        other._shape.CopyTo(_shape, 0);
        IsGiven = true;
        Expected = other.Width * rows;
        _shape[0] = rows;
    }

    public void AppendAll(InputSlot other)
    {
        if (!layout.Datatype.IsText)
        {
            other.Bytes.CopyTo(Reserve(other.Count));
            return;
        }

        for (var i = 0; i < other.Count; i++) _values.AppendText(other.Text(i));
    }

    /// <summary>Room for the next <paramref name="elements"/> values of a datatype with a fixed size.</summary>
    public Span<byte> Reserve(int elements) => _values.Reserve(elements);

    /// <summary>
    /// Begins to be filled row by row: of a datatype with a fixed size there are <paramref name="capacity"/> rows of
    /// undefined values to be set, of text none.
    /// </summary>
    public void BeginRows(int capacity)
    {
        IsGiven = true;
        _values.Truncate(0);
        if (!layout.Datatype.IsText) _values.Reserve(capacity * layout.RowWidth);
    }

    /// <summary>Writes over a value there is.</summary>
    public void Set<T>(int element, T value) where T : unmanaged => _values.Set(element, value);

    /// <summary>Writes over values there are, as their bytes.</summary>
    public void Set(int offset, ReadOnlySpan<byte> values) => _values.Set(offset, values);

    /// <summary>Keeps the first values only.</summary>
    public void Truncate(int elements) => _values.Truncate(elements);

    /// <summary>Takes the first rows of those begun, and their shape.</summary>
    public void EndRows(int rows)
    {
        _values.Truncate(rows * layout.RowWidth);
        if (_shape.Length != layout.Shape.Length) _shape = new long[layout.Shape.Length];
        for (var i = 1; i < _shape.Length; i++) _shape[i] = Math.Max(1, layout.Shape[i]);
        _shape[0] = rows;
        Expected = rows * layout.RowWidth;
    }

    /// <summary>Takes out rows; <see cref="EndRows"/> follows.</summary>
    public void RemoveRows(ReadOnlySpan<bool> isBad) => _values.RemoveRows(isBad, layout.RowWidth);

    public void Append<T>(T value) where T : unmanaged => MemoryMarshal.Write(Reserve(1), value);

    /// <summary>The next text; false when it is not UTF-8.</summary>
    public bool TryAppendText(ReadOnlySpan<byte> utf8)
    {
        if (!Utf8.IsValid(utf8)) return false;
        _values.AppendText(utf8);
        return true;
    }

    public ReadOnlySpan<byte> Text(int element) => _values.Text(element);

    /// <summary>The next value: that of an input of the same datatype.</summary>
    public void AppendFrom(InputSlot other, int element)
    {
        var size = layout.Datatype.Size;
        if (layout.Datatype.IsText) _values.AppendText(other.Text(element));
        else other.Bytes.Slice(element * size, size).CopyTo(Reserve(1));
    }

    /// <summary>Takes shape and values of an input of the same datatype, whose shape fits.</summary>
    public void CopyFrom(InputSlot other, Violations violations)
    {
        if (!TryBegin(violations) || !TryShape(other.Layout.Datatype.Name, other.Shape, violations)) return;
        for (var i = 0; i < other.Count; i++) AppendFrom(other, i);
    }

    /// <summary>A missing value: NaN, or no text; false where the layout has no place for it.</summary>
    public bool TryAppendMissing()
    {
        if (!layout.IsNullable) return false;
        switch (layout.Datatype.Element)
        {
            case TensorElementType.Float: Append(float.NaN); return true;
            case TensorElementType.Double: Append(double.NaN); return true;
            case TensorElementType.Float16: Append(System.Half.NaN); return true;
            case TensorElementType.BFloat16: Append(BFloat16NaN); return true;
            case TensorElementType.String: return TryAppendText([]);
            default: return false;
        }
    }

    /// <summary>Adds a violation for a wrong number of values, and for NaN and infinity where they are not taken.</summary>
    public void Check(Violations violations)
    {
        if (Count != Expected)
        {
            violations.Add(layout.Name, $"must have {Expected} values for shape [{Joined(_shape)}], not {Count}");
            return;
        }

        if (!layout.Datatype.IsFloating || AreAllFinite()) return;
        for (var i = 0; i < Count; i++)
        {
            var value = FloatingAt(i);
            if (double.IsFinite(value) || (layout.IsNullable && double.IsNaN(value))) continue;
            violations.Add(layout.Name, double.IsNaN(value)
                ? $"must not be missing or NaN (value {i})"
                : $"must be finite {layout.Datatype.Name} (value {i})");
            return;
        }
    }

    // The ordinary case in vectors; what breaks the rule is looked for value by value.
    private bool AreAllFinite()
    {
        if (layout.Datatype.Element != TensorElementType.Float) return false;
        var values = MemoryMarshal.Cast<byte, float>(Bytes);
        var most = new Vector<float>(float.MaxValue);
        var i = 0;
        for (; i <= values.Length - Vector<float>.Count; i += Vector<float>.Count)
        {
            // False for NaN, too.
            if (!Vector.LessThanOrEqualAll(Vector.Abs(new Vector<float>(values[i..])), most)) return false;
        }

        for (; i < values.Length; i++)
        {
            if (!float.IsFinite(values[i])) return false;
        }

        return true;
    }

    private double FloatingAt(int i) => layout.Datatype.Element switch
    {
        TensorElementType.Float => MemoryMarshal.Cast<byte, float>(Bytes)[i],
        TensorElementType.Double => MemoryMarshal.Cast<byte, double>(Bytes)[i],
        _ => Tensors.NumberAt(layout.Datatype, Bytes, i),
    };

    private static string Quoted(string text) => text.Length == 0 ? "none" : Workspace.Shown(text);

    private static string Joined(ReadOnlySpan<long> shape) => string.Join(',', shape.ToArray());
}
