using System.Globalization;
using System.Text;

namespace MlOps.Inference.Models;

/// <summary>What one input or output of a model looks like.</summary>
internal sealed class TensorLayout
{
    private byte[][] _columnNames = [];

    public TensorLayout(string name, Datatype datatype, long[] shape, bool isNullable, bool isPersonal = false)
    {
        Name = name;
        NameUtf8 = Encoding.UTF8.GetBytes(name);
        Datatype = datatype;
        Shape = shape;
        IsNullable = isNullable;
        IsPersonal = isPersonal;
        IsBatched = shape.Length > 0 && shape[0] == -1;
        foreach (var size in IsBatched ? shape.AsSpan(1) : shape)
        {
            IsScalarPerRow &= size is 1 or -1;
            RowWidth *= (int)Math.Clamp(size, 1, int.MaxValue / RowWidth);
        }
    }

    public string Name { get; }

    public byte[] NameUtf8 { get; }

    public Datatype Datatype { get; }

    /// <summary>−1 marks a size that varies; the first, when it varies, counts rows.</summary>
    public long[] Shape { get; }

    /// <summary>Whether NaN, or a missing value, is taken.</summary>
    public bool IsNullable { get; }

    /// <summary>Whether the prediction log must not show its values.</summary>
    public bool IsPersonal { get; }

    public bool IsBatched { get; }

    /// <summary>One value a row, so that a column of a table fits.</summary>
    public bool IsScalarPerRow { get; } = true;

    /// <summary>Values a row; sizes that vary count as 1.</summary>
    public int RowWidth { get; } = 1;

    /// <summary>Like <c>[-1,1]</c>.</summary>
    public string ShapeText => $"[{string.Join(',', Shape)}]";

    /// <summary>UTF-8 of <c>name[0]</c> … <c>name[width−1]</c>, or of the name alone where a row has one value; made once.</summary>
    public ReadOnlySpan<byte[]> ColumnNames(int width)
    {
        var names = _columnNames;
        if (names.Length == width) return names;
        return _columnNames = width == 1
            ? [NameUtf8]
            : [.. Enumerable.Range(0, width).Select(at => Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{Name}[{at}]")))];
    }

    public bool Fits(ReadOnlySpan<long> shape)
    {
        if (shape.Length != Shape.Length) return false;
        for (var i = 0; i < shape.Length; i++)
        {
            if (shape[i] < 1 || (Shape[i] != -1 && Shape[i] != shape[i])) return false;
        }

        return true;
    }
}
