namespace MlOps.Gateway.Splits.Subjects;

/// <summary>
/// Finds the subject in an <c>inference.ModelInferRequest</c>: the first element of an input, typed or raw, the request's id, or
/// a parameter of it. The message may be cut off at its end; what lies behind the cut is not found.
/// </summary>
internal static class InferSubject
{
    private const int Id = 3;
    private const int Parameters = 4;
    private const int Inputs = 5;
    private const int RawContents = 7;

    public static void Find(ReadOnlySpan<byte> message, SubjectField field, ref SubjectText subject)
    {
        if (field.Input.Length > 0) FindInput(message, field, ref subject);
        else if (field.IsRequestId) FindId(message, ref subject);
        else if (field.Parameter.Length > 0) FindParameter(message, field, ref subject);
    }

    private static void FindInput(ReadOnlySpan<byte> message, SubjectField field, ref SubjectText subject)
    {
        var place = -1;
        TensorType type = default;
        var fields = new ProtoFields(message);
        for (var i = 0; place < 0 && fields.Next();)
        {
            if (!fields.IsDelimited(Inputs)) continue;
            if (TryTensor(fields.Content, field.Input, out type, out var contents))
            {
                place = i;
                type.SetFromContents(contents, ref subject);
            }

            i++;
        }

        if (place < 0 || subject.Length > 0) return;
        fields = new ProtoFields(message);
        for (var i = 0; fields.Next();)
        {
            if (!fields.IsDelimited(RawContents)) continue;
            if (i++ != place) continue;
            type.SetFromRaw(fields.Content, ref subject);
            return;
        }
    }

    // name 1, datatype 2, contents 5; the last of each counts.
    private static bool TryTensor(
        ReadOnlySpan<byte> tensor, ReadOnlySpan<byte> wanted, out TensorType type, out ReadOnlySpan<byte> contents)
    {
        type = default;
        contents = default;
        var isWanted = false;
        var fields = new ProtoFields(tensor);
        while (fields.Next())
        {
            if (fields.IsDelimited(1)) isWanted = !fields.IsCut && fields.Content.SequenceEqual(wanted);
            else if (fields.IsDelimited(2)) type = TensorType.Of(fields.Content);
            else if (fields.IsDelimited(5)) contents = fields.Content;
        }

        return isWanted;
    }

    private static void FindId(ReadOnlySpan<byte> message, ref SubjectText subject)
    {
        var fields = new ProtoFields(message);
        while (fields.Next())
        {
            if (fields.IsDelimited(Id) && !fields.IsCut) subject.Set(fields.Content);
        }
    }

    // An entry of the map: key 1, value 2; the last entry of a key counts.
    private static void FindParameter(ReadOnlySpan<byte> message, SubjectField field, ref SubjectText subject)
    {
        var fields = new ProtoFields(message);
        while (fields.Next())
        {
            if (!fields.IsDelimited(Parameters) || fields.IsCut) continue;
            ReadOnlySpan<byte> key = default, value = default;
            var entry = new ProtoFields(fields.Content);
            while (entry.Next())
            {
                if (entry.IsDelimited(1)) key = entry.Content;
                else if (entry.IsDelimited(2)) value = entry.Content;
            }

            if (key.SequenceEqual(field.Parameter)) SetParameter(value, ref subject);
        }
    }

    // bool 1, int64 2, string 3, double 4, uint64 5: one of them, the last.
    private static void SetParameter(ReadOnlySpan<byte> parameter, ref SubjectText subject)
    {
        var fields = new ProtoFields(parameter);
        while (fields.Next())
        {
            if (fields is { Number: 1, Wire: ProtoFields.WireType.Varint }) subject.Set(fields.Value != 0);
            else if (fields is { Number: 2, Wire: ProtoFields.WireType.Varint }) subject.Set((long)fields.Value);
            else if (fields.IsDelimited(3)) subject.Set(fields.Content);
            else if (fields.Number == 4 && fields.TryFirstDouble(out var number)) subject.Set(number);
            else if (fields is { Number: 5, Wire: ProtoFields.WireType.Varint }) subject.Set(fields.Value);
        }
    }
}
