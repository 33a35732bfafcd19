using System.Buffers.Binary;
using System.Runtime.InteropServices;
using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Onnx;

/// <summary>A constant of a graph.</summary>
public sealed class OnnxTensor
{
    private OnnxTensor(OnnxType type, IReadOnlyList<long> dimensions, float[] singles, long[] integers)
    {
        Type = type;
        Dimensions = dimensions;
        Singles = singles;
        Integers = integers;
    }

    public OnnxType Type { get; }

    public IReadOnlyList<long> Dimensions { get; }

    /// <summary>Row-major; empty unless <see cref="Type"/> is float.</summary>
    public IReadOnlyList<float> Singles { get; }

    /// <summary>Row-major; empty unless <see cref="Type"/> is int64.</summary>
    public IReadOnlyList<long> Integers { get; }

    internal static OnnxTensor Of(IReadOnlyList<float> singles) => new(OnnxType.Float, [singles.Count], [.. singles], []);

    internal static OnnxTensor Of(IReadOnlyList<long> integers) => new(OnnxType.Int64, [integers.Count], [], [.. integers]);

    internal static (string Name, OnnxTensor Tensor) Read(ReadOnlySpan<byte> content)
    {
        // TensorProto: dims 1, data_type 2, float_data 4, int64_data 7, name 8, raw_data 9 (little-endian)
        var message = new OnnxMessage(content);
        var type = message.Integers(2) is [.., var element] ? (OnnxType)element : default;
        ReadOnlySpan<byte> raw = [];
        foreach (var item in message)
        {
            if (item.Number == 9)
                raw = item.Bytes;
        }

        float[] singles = type == OnnxType.Float ? [.. message.Singles(4), .. SinglesOf(raw)] : [];
        long[] integers = type == OnnxType.Int64 ? [.. message.Integers(7), .. IntegersOf(raw)] : [];
        return (message.Text(8) ?? "", new OnnxTensor(type, message.Integers(1), singles, integers));
    }

    private static float[] SinglesOf(ReadOnlySpan<byte> raw)
    {
        var values = MemoryMarshal.Cast<byte, int>(raw).ToArray();
        return [.. values.Select(bits => BitConverter.Int32BitsToSingle(
            BitConverter.IsLittleEndian ? bits : BinaryPrimitives.ReverseEndianness(bits)))];
    }

    private static long[] IntegersOf(ReadOnlySpan<byte> raw)
    {
        var values = MemoryMarshal.Cast<byte, long>(raw).ToArray();
        return BitConverter.IsLittleEndian ? values : [.. values.Select(BinaryPrimitives.ReverseEndianness)];
    }
}
