namespace MlOps.Gateway.Splits.Subjects;

/// <summary>
/// Finds the subject in an <c>mlops.inference.v1.PredictRequest</c>: the first row's value of a column. The message may be cut
/// off at its end; what lies behind the cut is not found.
/// </summary>
internal static class RowsSubject
{
    private const int Rows = 3;
    private const int Columns = 1;

    public static void Find(ReadOnlySpan<byte> message, SubjectField field, ref SubjectText subject)
    {
        if (field.Input.IsEmpty) return;
        var fields = new ProtoFields(message);
        while (fields.Next())
        {
            if (!fields.IsDelimited(Rows)) continue;
            var table = new ProtoFields(fields.Content);
            while (table.Next())
            {
                if (table.IsDelimited(Columns) && TrySetFromColumn(table.Content, field.Input, ref subject)) return;
            }
        }
    }

    // name 1; one of doubles 2, integers 3, texts 4, booleans 5; missing 7. A time is no subject.
    private static bool TrySetFromColumn(ReadOnlySpan<byte> column, ReadOnlySpan<byte> wanted, ref SubjectText subject)
    {
        var kind = 0;
        bool isWanted = false, isMissing = false;
        ReadOnlySpan<byte> values = default;
        var fields = new ProtoFields(column);
        while (fields.Next())
        {
            if (fields.IsDelimited(1)) isWanted = !fields.IsCut && fields.Content.SequenceEqual(wanted);
            else if (fields.IsDelimited(7)) isMissing = fields.Content is [var first, ..] && (first & 1) != 0;
            else if (fields is { Number: >= 2 and <= 6, Wire: ProtoFields.WireType.Delimited })
            {
                kind = fields.Number;
                values = fields.Content;
            }
        }

        if (!isWanted) return false;
        if (!isMissing) SetFirst(values, kind, ref subject);
        return true;
    }

    // values 1 of each kind.
    private static void SetFirst(ReadOnlySpan<byte> values, int kind, ref SubjectText subject)
    {
        var fields = new ProtoFields(values);
        while (fields.Next())
        {
            if (fields.Number != 1 || (fields.Content.IsEmpty && kind != 4 && fields.Wire == ProtoFields.WireType.Delimited)) continue;
            if (kind == 4 && !fields.IsCut) subject.Set(fields.Content);
            else if (kind == 2 && fields.TryFirstDouble(out var number)) subject.Set(number);
            else if (kind == 3 && fields.TryFirstVarint(out var integer)) subject.Set((long)integer);
            else if (kind == 5 && fields.TryFirstVarint(out var boolean)) subject.Set(boolean != 0);
            return;
        }
    }
}
