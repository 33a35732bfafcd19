using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;

namespace MlOps.Numerics.Trees;

/// <summary>One protobuf message read field by field, as much of the wire format as ONNX uses.</summary>
/// <exception cref="InvalidDataException">The bytes end early or are no such message.</exception>
internal readonly ref struct OnnxMessage(ReadOnlySpan<byte> bytes)
{
    private readonly ReadOnlySpan<byte> _bytes = bytes;

    public Fields GetEnumerator() => new(_bytes);

    public string? Text(int field)
    {
        string? text = null;
        foreach (var item in this)
            if (item.Number == field)
                text = item.Text;
        return text;
    }

    public List<string> Texts(int field)
    {
        List<string> texts = [];
        foreach (var item in this)
            if (item.Number == field)
                texts.Add(item.Text);
        return texts;
    }

    /// <summary>Repeated integers, packed or one by one.</summary>
    public List<long> Integers(int field)
    {
        List<long> values = [];
        foreach (var item in this)
        {
            if (item.Number != field)
                continue;
            if (item.Type != 2)
                values.Add((long)item.Number64);
            for (var packed = item.Bytes; !packed.IsEmpty;)
                values.Add((long)Fields.Varint(ref packed));
        }

        return values;
    }

    /// <summary>Repeated singles, packed or one by one.</summary>
    public List<float> Singles(int field)
    {
        List<float> values = [];
        foreach (var item in this)
        {
            if (item.Number != field)
                continue;
            if (item.Bytes.Length % sizeof(float) != 0)
                throw new InvalidDataException("Packed singles of another length than whole ones.");
            for (var packed = item.Bytes; !packed.IsEmpty; packed = packed[sizeof(float)..])
                values.Add(BinaryPrimitives.ReadSingleLittleEndian(packed));
        }

        return values;
    }

    [StructLayout(LayoutKind.Auto)]
    internal readonly ref struct Field(int number, int type, ulong number64, ReadOnlySpan<byte> bytes)
    {
        public int Number { get; } = number;

        public int Type { get; } = type;

        public ulong Number64 { get; } = number64;

        public ReadOnlySpan<byte> Bytes { get; } = bytes;

        public string Text => Encoding.UTF8.GetString(Bytes);
    }

    internal ref struct Fields(ReadOnlySpan<byte> rest)
    {
        private ReadOnlySpan<byte> _rest = rest;

        public Field Current { get; private set; }

        public bool MoveNext()
        {
            if (_rest.IsEmpty)
                return false;
            var tag = Varint(ref _rest);
            var (number, type) = ((int)(tag >> 3), (int)(tag & 7));
            Current = type switch
            {
                0 => new Field(number, type, Varint(ref _rest), []),
                1 => new Field(number, type, 0, Take(ref _rest, 8)),
                2 => new Field(number, type, 0, Take(ref _rest, Varint(ref _rest))),
                5 => new Field(number, type, 0, Take(ref _rest, 4)),
                _ => throw new InvalidDataException($"Wire type {type} is not used by ONNX."),
            };
            return true;
        }

        public static ulong Varint(scoped ref ReadOnlySpan<byte> bytes)
        {
            var value = 0UL;
            for (var shift = 0; shift < 70; shift += 7)
            {
                var next = Take(ref bytes, 1)[0];
                value |= (ulong)(next & 0x7F) << shift;
                if (next < 0x80)
                    return value;
            }

            throw new InvalidDataException("A number of more than ten bytes.");
        }

        private static ReadOnlySpan<byte> Take(scoped ref ReadOnlySpan<byte> bytes, ulong length)
        {
            if (length > (ulong)bytes.Length)
                throw new InvalidDataException("The model ends early.");
            var taken = bytes[..(int)length];
            bytes = bytes[(int)length..];
            return taken;
        }
    }
}
