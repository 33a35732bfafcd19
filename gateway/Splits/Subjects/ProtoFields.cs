using System.Buffers.Binary;

namespace MlOps.Gateway.Splits.Subjects;

/// <summary>Walks the fields of a protobuf message that may be cut off at its end. Allocates nothing and never throws.</summary>
internal ref struct ProtoFields(ReadOnlySpan<byte> message)
{
    private ReadOnlySpan<byte> _left = message;

    /// <summary>Number of the field it stands on.</summary>
    public int Number { get; private set; }

    public WireType Wire { get; private set; }

    /// <summary>Of a varint.</summary>
    public ulong Value { get; private set; }

    /// <summary>Of the other wire types: the bytes, as far as they are there.</summary>
    public ReadOnlySpan<byte> Content { get; private set; }

    /// <summary>The message ends before this field does.</summary>
    public bool IsCut { get; private set; }

    /// <summary>Length-delimited: text, bytes, a message or packed numbers.</summary>
    public readonly bool IsDelimited(int number) => Number == number && Wire == WireType.Delimited;

    /// <summary>False at the end, where a field's beginning is cut, and before groups and nonsense, behind which nothing can be told.</summary>
    public bool Next()
    {
        Content = default;
        if (IsCut || !TryReadVarint(ref _left, out var tag) || tag >> 3 is 0 or > int.MaxValue) return false;
        Number = (int)(tag >> 3);
        Wire = (WireType)(tag & 7);
        switch (Wire)
        {
            case WireType.Varint:
                var isThere = TryReadVarint(ref _left, out var value);
                Value = value;
                return isThere;
            case WireType.Fixed64:
                return Take(8);
            case WireType.Delimited:
                return TryReadVarint(ref _left, out var size) && Take(size);
            case WireType.Fixed32:
                return Take(4);
            default:
                return false;
        }
    }

    public static bool TryReadVarint(ref ReadOnlySpan<byte> bytes, out ulong value)
    {
        value = 0;
        for (var i = 0; i < bytes.Length && i < 10; i++)
        {
            value |= (ulong)(bytes[i] & 0x7F) << (7 * i);
            if (bytes[i] >= 0x80) continue;
            bytes = bytes[(i + 1)..];
            return true;
        }

        return false;
    }

    /// <summary>The first number of a repeated field, packed or not.</summary>
    public readonly bool TryFirstVarint(out ulong value)
    {
        value = Value;
        var packed = Content;
        return Wire == WireType.Varint || (Wire == WireType.Delimited && TryReadVarint(ref packed, out value));
    }

    /// <inheritdoc cref="TryFirstVarint"/>
    public readonly bool TryFirstDouble(out double value) => BinaryPrimitives.TryReadDoubleLittleEndian(Content, out value);

    /// <inheritdoc cref="TryFirstVarint"/>
    public readonly bool TryFirstSingle(out float value) => BinaryPrimitives.TryReadSingleLittleEndian(Content, out value);

    private bool Take(ulong size)
    {
        IsCut = size > (ulong)_left.Length;
        Content = IsCut ? _left : _left[..(int)size];
        _left = _left[Content.Length..];
        return true;
    }

    internal enum WireType
    {
        Varint = 0,
        Fixed64 = 1,
        Delimited = 2,
        Fixed32 = 5,
    }
}
