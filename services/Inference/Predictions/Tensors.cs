using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Inference.Models;

namespace MlOps.Inference.Predictions;

/// <summary>Reads single values out of tensors' bytes.</summary>
internal static class Tensors
{
    /// <summary>Element <paramref name="i"/> as a double: exact but for 64-bit integers beyond 2^53; BOOL is 0 or 1.</summary>
    public static double NumberAt(Datatype datatype, ReadOnlySpan<byte> bytes, int i) => datatype.Element switch
    {
        TensorElementType.Float => At<float>(bytes, i),
        TensorElementType.Double => At<double>(bytes, i),
        TensorElementType.Float16 => (double)At<System.Half>(bytes, i),
        TensorElementType.BFloat16 => OfBFloat16(At<ushort>(bytes, i)),
        TensorElementType.UInt64 => At<ulong>(bytes, i),
        _ => IntegerAt(datatype, bytes, i),
    };

    /// <summary>Element <paramref name="i"/> of an integer or BOOL tensor; UINT64 beyond the range of INT64 wraps.</summary>
    public static long IntegerAt(Datatype datatype, ReadOnlySpan<byte> bytes, int i) => datatype.Element switch
    {
        TensorElementType.Int64 => At<long>(bytes, i),
        TensorElementType.Int32 => At<int>(bytes, i),
        TensorElementType.Int16 => At<short>(bytes, i),
        TensorElementType.Int8 => At<sbyte>(bytes, i),
        TensorElementType.UInt64 => unchecked((long)At<ulong>(bytes, i)),
        TensorElementType.UInt32 => At<uint>(bytes, i),
        TensorElementType.UInt16 => At<ushort>(bytes, i),
        TensorElementType.UInt8 or TensorElementType.Bool => bytes[i],
        _ => throw new ArgumentOutOfRangeException(nameof(datatype), datatype.Name, "holds no integers"),
    };

    /// <summary>What a floating datatype makes of a number; of any other datatype the number itself.</summary>
    public static double Rounded(Datatype datatype, double value) => datatype.Element switch
    {
        TensorElementType.Float => (float)value,
        TensorElementType.Float16 => (double)(System.Half)value,
        TensorElementType.BFloat16 => OfBFloat16(ToBFloat16((float)value)),
        _ => value,
    };

    /// <summary>The upper half of an FP32, rounded to nearest, ties to even.</summary>
    public static ushort ToBFloat16(float value)
    {
        var bits = BitConverter.SingleToUInt32Bits(value);
        if (float.IsNaN(value)) return (ushort)((bits >> 16) | 0x40);
        return (ushort)((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
    }

    private static float OfBFloat16(ushort value) => BitConverter.UInt32BitsToSingle((uint)value << 16);

    private static T At<T>(ReadOnlySpan<byte> bytes, int i) where T : unmanaged => MemoryMarshal.Cast<byte, T>(bytes)[i];
}
