using System.Text;
using Google.Protobuf;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.BatchJobs.Rows;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.BatchJobs.Features;

/// <summary>Between chunks and the tables that the feature store speaks.</summary>
internal static class FeatureTables
{
    /// <summary>The chunk's key columns.</summary>
    public static Table KeysOf(RowPlan plan, RowChunk chunk)
    {
        var table = new Table();
        for (var key = 0; key < plan.Keys.Length; key++)
        {
            var texts = new TextValues();
            var missing = new byte[(chunk.Count + 7) / 8];
            for (var row = 0; row < chunk.Count; row++)
            {
                texts.Values.Add(Encoding.UTF8.GetString(chunk.Keys[key][row]));
                if (chunk.Keys[key].Kind(row) == TextKind.Missing) missing[row >> 3] |= (byte)(1 << (row & 7));
            }

            var column = new Column { Name = plan.Keys[key], Texts = texts };
            if (missing.AsSpan().IndexOfAnyExcept((byte)0) >= 0) column.Missing = ByteString.CopyFrom(missing);
            table.Columns.Add(column);
        }

        return table;
    }

    /// <summary>Sets an input from a column of features; <paramref name="word"/> says of a row why it has no value, null: it has one.</summary>
    public static void Fill(
        InputSlot slot, Column column, RowChunk chunk, Func<int, string?> word, Action<int, string> refuse)
    {
        // Values are appended from here on.
        slot.Truncate(0);
        for (var row = 0; row < chunk.Count; row++)
        {
            var reason = word(row);
            var rule = reason is null ? Columns.TryAppend(slot, column, row)
                : slot.TryAppendMissing() ? null
                : $"must not be missing; the feature store says {reason}";
            if (rule is null && slot.Layout.Datatype.IsFloating && !slot.Layout.IsNullable
                && double.IsNaN(Tensors.NumberAt(slot.Layout.Datatype, slot.Bytes, row)))
            {
                rule = "must not be missing";
            }

            if (rule is null) continue;
            if (slot.Count == row) AppendNothing(slot);
            refuse(row, $"{slot.Layout.Name}: {rule}");
        }
    }

    // The row goes, so that any value serves.
    private static void AppendNothing(InputSlot slot)
    {
        if (slot.Layout.Datatype.IsText) slot.TryAppendText([]);
        else slot.Reserve(1).Clear();
    }
}
