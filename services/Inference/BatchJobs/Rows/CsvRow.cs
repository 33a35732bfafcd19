using System.Buffers;
using System.Text.Unicode;
using MlOps.Inference.BatchJobs.Inputs;

namespace MlOps.Inference.BatchJobs.Rows;

/// <summary>Reads one record of CSV straight into a chunk. Null when it is a row, else the rule that is broken.</summary>
internal static class CsvRow
{
    public static string? Read(ReadOnlySpan<byte> record, CsvShape shape, RowPlan plan, RowChunk chunk) =>
        shape == CsvShape.Plain ? ReadPlain(record, plan, chunk) : ReadQuoted(record, plan, chunk);

    private static string? ReadPlain(ReadOnlySpan<byte> record, RowPlan plan, RowChunk chunk)
    {
        var uses = plan.Uses;
        for (var column = 0; column < uses.Length; column++)
        {
            var comma = record.IndexOf((byte)',');
            if (comma < 0 && column < uses.Length - 1) return WrongCount(column + 1, uses.Length);
            if (comma >= 0 && column == uses.Length - 1) return WrongCount(column + 1 + record.Count((byte)','), uses.Length);
            var field = comma < 0 ? record : record[..comma];
            record = record[(comma + 1)..];
            ref readonly var use = ref uses[column];
            if (use.IsUsed && Take(in use, field, isQuoted: false, chunk) is { } rule) return $"{plan.Names[column]}: {rule}";
        }

        return null;
    }

    private static string? ReadQuoted(ReadOnlySpan<byte> record, RowPlan plan, RowChunk chunk)
    {
        var at = 0;
        var column = 0;
        for (; at <= record.Length; column++)
        {
            var field = CsvRecords.Field(record, ref at, out var isQuoted);
            if (column >= plan.Uses.Length || !plan.Uses[column].IsUsed) continue;
            if (TakeQuoted(in plan.Uses[column], field, isQuoted, chunk) is { } rule) return $"{plan.Names[column]}: {rule}";
        }

        return column == plan.Uses.Length ? null : WrongCount(column, plan.Uses.Length);
    }

    private static string? TakeQuoted(in ColumnUse use, ReadOnlySpan<byte> field, bool isQuoted, RowChunk chunk)
    {
        if (!isQuoted || field.IndexOf((byte)'"') < 0) return Take(in use, field, isQuoted, chunk);
        var scratch = ArrayPool<byte>.Shared.Rent(field.Length);
        var length = 0;
        for (var i = 0; i < field.Length; i++)
        {
            scratch[length++] = field[i];
            if (field[i] == (byte)'"') i++; // doubled
        }

        var rule = Take(in use, scratch.AsSpan(0, length), isQuoted, chunk);
        ArrayPool<byte>.Shared.Return(scratch);
        return rule;
    }

    private static string? Take(in ColumnUse use, ReadOnlySpan<byte> field, bool isQuoted, RowChunk chunk)
    {
        if (use.Slot >= 0)
        {
            if (use.At == ColumnUse.All) return "must be given as columns of its own, name[0] and so on";
            var slot = chunk.Workspace.Inputs[use.Slot];
            if (CellReader.FromCsv(slot, (chunk.Count * slot.Layout.RowWidth) + use.At, field, isQuoted) is { } rule) return rule;
        }

        if (use.Kept < 0 && use.Key < 0 && !use.IsTime) return null;
        if (!Utf8.IsValid(field)) return "must be UTF-8 text";
        var kind = isQuoted ? TextKind.Text : field.IsEmpty ? TextKind.Missing : TextKind.Plain;
        if (use.Kept >= 0) chunk.Kept[use.Kept].Add(field, kind);
        if (use.Key >= 0) chunk.Keys[use.Key].Add(field, kind);
        if (!use.IsTime) return null;
        if (!IsoTime.TryRead(field, out var micros)) return "must be a time, ISO 8601 or microseconds since the epoch";
        chunk.SetTime(micros);
        return null;
    }

    private static string WrongCount(int fields, int wanted) => $"has {fields} fields where the header has {wanted}";
}
