using System.Buffers.Binary;

namespace MlOps.Gateway.Splits.Subjects;

/// <summary>A datatype of the Open Inference Protocol, as far as one value of it becomes a subject.</summary>
internal readonly record struct TensorType(TensorType.Form Is, int Size)
{
    internal enum Form
    {
        Unknown, Boolean, Signed, Unsigned, Floating, Brain, Text,
    }

    public static TensorType Of(ReadOnlySpan<byte> name) => name switch
    {
        _ when name.SequenceEqual("BYTES"u8) => new(Form.Text, 0),
        _ when name.SequenceEqual("INT64"u8) => new(Form.Signed, 8),
        _ when name.SequenceEqual("INT32"u8) => new(Form.Signed, 4),
        _ when name.SequenceEqual("INT16"u8) => new(Form.Signed, 2),
        _ when name.SequenceEqual("INT8"u8) => new(Form.Signed, 1),
        _ when name.SequenceEqual("UINT64"u8) => new(Form.Unsigned, 8),
        _ when name.SequenceEqual("UINT32"u8) => new(Form.Unsigned, 4),
        _ when name.SequenceEqual("UINT16"u8) => new(Form.Unsigned, 2),
        _ when name.SequenceEqual("UINT8"u8) => new(Form.Unsigned, 1),
        _ when name.SequenceEqual("FP64"u8) => new(Form.Floating, 8),
        _ when name.SequenceEqual("FP32"u8) => new(Form.Floating, 4),
        _ when name.SequenceEqual("FP16"u8) => new(Form.Floating, 2),
        _ when name.SequenceEqual("BF16"u8) => new(Form.Brain, 2),
        _ when name.SequenceEqual("BOOL"u8) => new(Form.Boolean, 1),
        _ => default,
    };

    /// <summary>The first element of a raw tensor: little-endian; text behind its length of 4 bytes.</summary>
    public void SetFromRaw(ReadOnlySpan<byte> raw, ref SubjectText subject)
    {
        if (raw.Length < Size) return;
        switch (Is, Size)
        {
            case (Form.Boolean, _):
                subject.Set(raw[0] != 0);
                break;
            case (Form.Signed, 1):
                subject.Set((long)(sbyte)raw[0]);
                break;
            case (Form.Signed, 2):
                subject.Set((long)BinaryPrimitives.ReadInt16LittleEndian(raw));
                break;
            case (Form.Signed, 4):
                subject.Set((long)BinaryPrimitives.ReadInt32LittleEndian(raw));
                break;
            case (Form.Signed, _):
                subject.Set(BinaryPrimitives.ReadInt64LittleEndian(raw));
                break;
            case (Form.Unsigned, 1):
                subject.Set((ulong)raw[0]);
                break;
            case (Form.Unsigned, 2):
                subject.Set((ulong)BinaryPrimitives.ReadUInt16LittleEndian(raw));
                break;
            case (Form.Unsigned, 4):
                subject.Set((ulong)BinaryPrimitives.ReadUInt32LittleEndian(raw));
                break;
            case (Form.Unsigned, _):
                subject.Set(BinaryPrimitives.ReadUInt64LittleEndian(raw));
                break;
            case (Form.Floating, 2):
                subject.Set((float)BinaryPrimitives.ReadHalfLittleEndian(raw));
                break;
            case (Form.Floating, 4):
                subject.Set(BinaryPrimitives.ReadSingleLittleEndian(raw));
                break;
            case (Form.Floating, _):
                subject.Set(BinaryPrimitives.ReadDoubleLittleEndian(raw));
                break;
            case (Form.Brain, _):
                subject.Set(BitConverter.Int32BitsToSingle(BinaryPrimitives.ReadInt16LittleEndian(raw) << 16));
                break;
            case (Form.Text, _) when BinaryPrimitives.TryReadUInt32LittleEndian(raw, out var length) && length <= raw.Length - 4:
                subject.Set(raw.Slice(4, (int)length));
                break;
        }
    }

    /// <summary>The first element of <c>InferTensorContents</c>: field 1 holds booleans, 2 to 5 integers, 6 and 7 floats, 8 text.</summary>
    public void SetFromContents(ReadOnlySpan<byte> contents, ref SubjectText subject)
    {
        var field = (Is, Size) switch
        {
            (Form.Boolean, _) => 1,
            (Form.Signed, < 8) => 2,
            (Form.Signed, _) => 3,
            (Form.Unsigned, < 8) => 4,
            (Form.Unsigned, _) => 5,
            (Form.Floating, 4) => 6,
            (Form.Floating, 8) => 7,
            (Form.Text, _) => 8,
            _ => 0,
        };
        var fields = new ProtoFields(contents);
        while (fields.Next())
        {
            // A packed field of no values is followed by another one, or by none.
            if (fields.Number != field || (fields.Content.IsEmpty && fields.Wire == ProtoFields.WireType.Delimited && field != 8)) continue;
            if (field == 8 && !fields.IsCut) subject.Set(fields.Content);
            else if (field == 7 && fields.TryFirstDouble(out var wide)) subject.Set(wide);
            else if (field == 6 && fields.TryFirstSingle(out var narrow)) subject.Set(narrow);
            else if (field < 6 && fields.TryFirstVarint(out var number)) SetFromVarint(number, ref subject);
            return;
        }
    }

    /// <summary>A value of JSON, which says less of its type than a tensor does.</summary>
    public void SetFromJson(in JsonScalar value, ref SubjectText subject)
    {
        switch (Is)
        {
            case Form.Text:
                value.SetText(ref subject);
                break;
            case Form.Boolean:
                value.SetBoolean(ref subject);
                break;
            case Form.Floating when Size == 2:
                if (value.TryDouble(out var half)) subject.Set((float)(Half)half);
                break;
            case Form.Floating when Size == 4:
                if (value.TryDouble(out var single)) subject.Set((float)single);
                break;
            case Form.Floating:
                if (value.TryDouble(out var number)) subject.Set(number);
                break;
            case Form.Signed or Form.Unsigned:
                value.SetNumber(ref subject);
                break;
        }
    }

    private void SetFromVarint(ulong number, ref SubjectText subject)
    {
        if (Is == Form.Boolean) subject.Set(number != 0);
        else if (Is == Form.Signed) subject.Set((long)number);
        else subject.Set(number);
    }
}
