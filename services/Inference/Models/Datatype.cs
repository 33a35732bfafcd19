using System.Text;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime.Tensors;

namespace MlOps.Inference.Models;

/// <summary>A datatype of the Open Inference Protocol that ONNX Runtime computes with.</summary>
internal sealed class Datatype
{
    private static readonly Datatype[] All =
    [
        new("FP32", 4, TensorElementType.Float), new("BYTES", 0, TensorElementType.String),
        new("INT64", 8, TensorElementType.Int64), new("FP64", 8, TensorElementType.Double),
        new("INT32", 4, TensorElementType.Int32), new("BOOL", 1, TensorElementType.Bool),
        new("UINT8", 1, TensorElementType.UInt8), new("UINT16", 2, TensorElementType.UInt16),
        new("UINT32", 4, TensorElementType.UInt32), new("UINT64", 8, TensorElementType.UInt64),
        new("INT8", 1, TensorElementType.Int8), new("INT16", 2, TensorElementType.Int16),
        new("FP16", 2, TensorElementType.Float16), new("BF16", 2, TensorElementType.BFloat16),
    ];

    private readonly byte[] _nameUtf8;

    private Datatype(string name, int size, TensorElementType element)
    {
        Name = name;
        Size = size;
        Element = element;
        _nameUtf8 = Encoding.UTF8.GetBytes(name);
    }

    /// <summary>Name on the wire, e.g. <c>FP32</c>.</summary>
    public string Name { get; }

    /// <summary>Bytes per element; 0 for BYTES, whose elements vary.</summary>
    public int Size { get; }

    public TensorElementType Element { get; }

    public bool IsText => Size == 0;

    public bool IsFloating => Element is TensorElementType.Float or TensorElementType.Double || IsRawOnly;

    /// <summary>FP16 and BF16: floating point that travels as bytes only.</summary>
    public bool IsRawOnly => Element is TensorElementType.Float16 or TensorElementType.BFloat16;

    public static Datatype? Named(string name)
    {
        foreach (var datatype in All)
        {
            if (datatype.Name == name) return datatype;
        }

        return null;
    }

    /// <summary>The datatype a JSON string names, without making the string; null when there is none such.</summary>
    public static Datatype? Named(ref Utf8JsonReader reader)
    {
        foreach (var datatype in All)
        {
            if (reader.ValueTextEquals(datatype._nameUtf8)) return datatype;
        }

        return null;
    }

    public static Datatype? Of(TensorElementType element)
    {
        foreach (var datatype in All)
        {
            if (datatype.Element == element) return datatype;
        }

        return null;
    }
}
