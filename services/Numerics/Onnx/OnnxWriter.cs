using System.Buffers;
using System.Buffers.Binary;
using System.Text;
using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Onnx;

/// <summary>
/// Writes protobuf's wire format, as much of it as ONNX needs: the same calls give the same bytes. Repeated numbers are
/// packed, which every parser takes for the fields ONNX declares unpacked.
/// </summary>
public sealed class OnnxWriter
{
    private const int VarintType = 0;
    private const int LengthType = 2;
    private const int Fixed32Type = 5;

    private readonly ArrayBufferWriter<byte> _buffer = new();

    /// <summary>What was written so far.</summary>
    public ReadOnlySpan<byte> Written => _buffer.WrittenSpan;

    public OnnxWriter Integer(int field, long value)
    {
        Tag(field, VarintType);
        Varint((ulong)value);
        return this;
    }

    public OnnxWriter Single(int field, float value)
    {
        Tag(field, Fixed32Type);
        Fixed32(value);
        return this;
    }

    public OnnxWriter Text(int field, string value) => Bytes(field, Encoding.UTF8.GetBytes(value));

    public OnnxWriter Texts(int field, IEnumerable<string> values)
    {
        foreach (var value in values)
            Text(field, value);
        return this;
    }

    public OnnxWriter Bytes(int field, ReadOnlySpan<byte> value)
    {
        Tag(field, LengthType);
        Varint((ulong)value.Length);
        _buffer.Write(value);
        return this;
    }

    public OnnxWriter Integers(int field, IEnumerable<long> values)
    {
        var packed = new OnnxWriter();
        foreach (var value in values)
            packed.Varint((ulong)value);
        return Bytes(field, packed.Written);
    }

    public OnnxWriter Singles(int field, IEnumerable<float> values)
    {
        var packed = new OnnxWriter();
        foreach (var value in values)
            packed.Fixed32(value);
        return Bytes(field, packed.Written);
    }

    /// <summary>Writes a message inside this one.</summary>
    public OnnxWriter Message(int field, Action<OnnxWriter> write)
    {
        var inner = new OnnxWriter();
        write(inner);
        return Bytes(field, inner.Written);
    }

    /// <summary>Writes a field as it was read.</summary>
    internal OnnxWriter Field(OnnxMessage.Field field)
    {
        if (field.Type == LengthType)
            return Bytes(field.Number, field.Bytes);
        Tag(field.Number, field.Type);
        if (field.Type == VarintType)
            Varint(field.Number64);
        else
            _buffer.Write(field.Bytes);
        return this;
    }

    private void Tag(int field, int wireType) => Varint((ulong)(field << 3 | wireType));

    private void Varint(ulong value)
    {
        for (; value >= 0x80; value >>= 7)
            _buffer.Write([(byte)(value | 0x80)]);
        _buffer.Write([(byte)value]);
    }

    private void Fixed32(float value)
    {
        BinaryPrimitives.WriteSingleLittleEndian(_buffer.GetSpan(sizeof(float)), value);
        _buffer.Advance(sizeof(float));
    }
}
