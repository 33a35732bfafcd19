using System.Text.Json;
using System.Text.Unicode;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.BatchJobs.Rows;

/// <summary>Reads one JSON object straight into a chunk. Null when it is a row, else the rule that is broken.</summary>
internal static class JsonRow
{
    public static string? Read(ReadOnlySpan<byte> line, RowPlan plan, RowChunk chunk)
    {
        try
        {
            var reader = new Utf8JsonReader(line);
            return Read(ref reader, line, plan, chunk);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The second is the reader's word for a string that is no text.
            return $"is not valid JSON: {e.Message}";
        }
    }

    private static string? Read(ref Utf8JsonReader reader, ReadOnlySpan<byte> line, RowPlan plan, RowChunk chunk)
    {
        Span<bool> isGiven = stackalloc bool[plan.Names.Length];
        isGiven.Clear();
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) return "must be a JSON object";
        for (var hint = 0; reader.Read() && reader.TokenType == JsonTokenType.PropertyName;)
        {
            var column = plan.Find(ref reader, hint);
            reader.Read();
            if (column < 0 || !plan.Uses[column].IsUsed)
            {
                if (column >= 0) hint = column + 1;
                reader.Skip();
                continue;
            }

            hint = column + 1;
            if (isGiven[column]) return $"{plan.Names[column]}: is given twice";
            isGiven[column] = true;
            if (Take(in plan.Uses[column], ref reader, line, chunk) is { } rule) return $"{plan.Names[column]}: {rule}";
        }

        // Reads on, so that anything behind the object is an error.
        reader.Read();
        for (var column = 0; column < isGiven.Length; column++)
        {
            if (isGiven[column] || !plan.Uses[column].IsUsed) continue;
            if (TakeMissing(in plan.Uses[column], chunk) is { } rule) return $"{plan.Names[column]}: {rule}";
        }

        return null;
    }

    private static string? Take(in ColumnUse use, ref Utf8JsonReader reader, ReadOnlySpan<byte> line, RowChunk chunk)
    {
        if (use.Kept >= 0 || use.Key >= 0 || use.IsTime)
        {
            if (TakeText(in use, ref reader, line, chunk) is { } broken) return broken;
        }

        if (use.Slot < 0)
        {
            reader.Skip();
            return null;
        }

        var slot = chunk.Workspace.Inputs[use.Slot];
        return use.At == ColumnUse.All
            ? FromArray(slot, chunk.Count * slot.Layout.RowWidth, ref reader)
            : CellReader.FromJson(slot, (chunk.Count * slot.Layout.RowWidth) + use.At, ref reader);
    }

    private static string? FromArray(InputSlot slot, int element, ref Utf8JsonReader reader)
    {
        var width = slot.Layout.RowWidth;
        if (reader.TokenType != JsonTokenType.StartArray) return $"must be an array of {width} values";
        var count = 0;
        for (; reader.Read() && reader.TokenType != JsonTokenType.EndArray; count++)
        {
            if (count == width) return $"must be an array of {width} values, not more";
            if (CellReader.FromJson(slot, element + count, ref reader) is { } rule) return rule;
        }

        return count == width ? null : $"must be an array of {width} values, not {count}";
    }

    private static string? TakeText(in ColumnUse use, ref Utf8JsonReader reader, ReadOnlySpan<byte> line, RowChunk chunk)
    {
        switch (reader.TokenType)
        {
            case JsonTokenType.Null: return TakeText(in use, [], TextKind.Missing, chunk);
            case JsonTokenType.String when !reader.ValueIsEscaped: return TakeText(in use, reader.ValueSpan, TextKind.Text, chunk);
            case JsonTokenType.String:
                var scratch = new byte[reader.ValueSpan.Length];
                return TakeText(in use, scratch.AsSpan(0, reader.CopyString(scratch)), TextKind.Text, chunk);
            case JsonTokenType.StartObject or JsonTokenType.StartArray:
                var ahead = reader; // a copy: the value itself is still to be read
                ahead.Skip();
                return TakeText(in use, line[(int)reader.TokenStartIndex..(int)ahead.BytesConsumed], TextKind.Literal, chunk);
            default: return TakeText(in use, reader.ValueSpan, TextKind.Literal, chunk);
        }
    }

    private static string? TakeText(in ColumnUse use, ReadOnlySpan<byte> text, TextKind kind, RowChunk chunk)
    {
        if (!Utf8.IsValid(text)) return "must be UTF-8 text";
        if (use.Kept >= 0) chunk.Kept[use.Kept].Add(text, kind);
        if (use.Key >= 0) chunk.Keys[use.Key].Add(text, kind);
        if (!use.IsTime) return null;
        if (!IsoTime.TryRead(text, out var micros)) return "must be a time, ISO 8601 or microseconds since the epoch";
        chunk.SetTime(micros);
        return null;
    }

    private static string? TakeMissing(in ColumnUse use, RowChunk chunk)
    {
        if (use.IsTime) return "must not be missing";
        if (use.Kept >= 0) chunk.Kept[use.Kept].Add([], TextKind.Missing);
        if (use.Key >= 0) chunk.Keys[use.Key].Add([], TextKind.Missing);
        if (use.Slot < 0) return null;
        var slot = chunk.Workspace.Inputs[use.Slot];
        if (slot.Layout.Datatype.IsText) return slot.TryAppendMissing() ? null : "must not be missing";
        for (var at = 0; at < slot.Layout.RowWidth; at++)
        {
            if (CellReader.TrySetMissing(slot, (chunk.Count * slot.Layout.RowWidth) + at) is { } rule) return rule;
        }

        return null;
    }
}
