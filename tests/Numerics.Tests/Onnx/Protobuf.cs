using System.Buffers.Binary;
using System.Text;

namespace MlOps.Numerics.Tests.Onnx;

/// <summary>Reads protobuf's wire format field by field, without a schema and without the writer's code.</summary>
internal sealed class Protobuf
{
    private readonly List<(int Field, object Value)> _fields = [];

    public Protobuf(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            var tag = ReadVarint(ref bytes);
            object value = (tag & 7) switch
            {
                0 => (long)ReadVarint(ref bytes),
                2 => Take(ref bytes, (int)ReadVarint(ref bytes)).ToArray(),
                5 => BinaryPrimitives.ReadSingleLittleEndian(Take(ref bytes, 4)),
                var other => throw new InvalidDataException($"Wire type {other} is not used by ONNX."),
            };
            _fields.Add(((int)(tag >> 3), value));
        }
    }

    public long Integer(int field) => All<long>(field).Single();

    public string Text(int field) => Encoding.UTF8.GetString(All<byte[]>(field).Single());

    public string[] Texts(int field) => [.. All<byte[]>(field).Select(Encoding.UTF8.GetString)];

    public Protobuf Message(int field) => Messages(field).Single();

    public Protobuf[] Messages(int field) => [.. All<byte[]>(field).Select(bytes => new Protobuf(bytes))];

    public float[] Singles(int field)
    {
        var packed = All<byte[]>(field).Single();
        return [.. packed.Chunk(4).Select(chunk => BinaryPrimitives.ReadSingleLittleEndian(chunk))];
    }

    public long[] Integers(int field)
    {
        var integers = new List<long>();
        ReadOnlySpan<byte> packed = All<byte[]>(field).Single();
        while (packed.Length > 0)
            integers.Add((long)ReadVarint(ref packed));
        return [.. integers];
    }

    private IEnumerable<T> All<T>(int field) =>
        _fields.Where(item => item.Field == field).Select(item => (T)item.Value);

    private static ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> bytes, int length)
    {
        var taken = bytes[..length];
        bytes = bytes[length..];
        return taken;
    }

    private static ulong ReadVarint(ref ReadOnlySpan<byte> bytes)
    {
        var value = 0UL;
        for (var shift = 0; ; shift += 7)
        {
            var next = Take(ref bytes, 1)[0];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }
    }
}
