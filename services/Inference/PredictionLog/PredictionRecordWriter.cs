using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.PredictionLog;

/// <summary>
/// Writes one <c>mlops.monitoring.v1.PredictionRecord</c> without making its objects. An input of w values a row is
/// logged as columns <c>name[0]</c> … <c>name[w−1]</c>, and not at all beyond 1,000. Of personal inputs texts are masked
/// and all else is left out.
/// </summary>
internal static class PredictionRecordWriter
{
    /// <summary>Field of <c>PredictionBatch</c> that holds the records.</summary>
    public const int RecordsField = 1;
    private const int MaxLoggedWidth = 1_000;

    public static void Write(Workspace workspace, Call call, LogEntry entry, MaskingKey key)
    {
        var record = workspace.Record;
        Span<byte> idBytes = stackalloc byte[16];
        entry.Id.TryWriteBytes(idBytes, bigEndian: true, out _);
        record.Bytes(1, idBytes);
        record.Text(2, workspace.Model.Model);
        record.Text(3, workspace.Model.VersionText);
        record.Text(4, call.Variant);
        record.Integer(5, (entry.Time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);
        record.Text(6, call.SubjectHash);
        var isAnswer = entry.Failure.Length == 0;
        if (entry.HasInputs) WriteInputs(record, workspace.Inputs, isAnswer ? workspace.Rows : WholeRows(workspace.Inputs), key);
        if (isAnswer) WriteFirstOutput(record, workspace.Outputs, workspace.Rows);
        record.Integer(9, (long)entry.Latency.TotalMicroseconds);
        record.Text(10, call.Protocol);
        record.Text(11, entry.Failure);
        foreach (var flag in workspace.Flags) record.Text(12, flag);
        if (call.ShadowOf is { } live)
        {
            live.TryWriteBytes(idBytes, bigEndian: true, out _);
            record.Bytes(13, idBytes);
        }

        // Absent means 1.
        if (entry.SamplingRate < 1) record.Double(14, entry.SamplingRate);
    }

    // A failed request may have inputs that end early, or were never read: the rows that all the others have.
    private static int WholeRows(InputSlot[] inputs)
    {
        var whole = int.MaxValue;
        foreach (var slot in inputs)
        {
            if (slot.Layout.IsBatched && slot.WholeRows > 0) whole = Math.Min(whole, slot.WholeRows);
        }

        return whole == int.MaxValue ? 1 : whole;
    }

    private static void WriteInputs(ProtoBuffer record, InputSlot[] inputs, int rows, MaskingKey key)
    {
        var table = record.Begin(7);
        foreach (var slot in inputs) WriteInput(record, slot, rows, key);
        record.End(table);
    }

    private static void WriteInput(ProtoBuffer record, InputSlot slot, int rows, MaskingKey key)
    {
        if (slot.WholeRows < rows || (slot.Layout.IsPersonal && !slot.Layout.Datatype.IsText)) return;
        // An input that is not per row stands for all of them and would repeat in each.
        if (slot.Rows != rows && !slot.Layout.IsBatched) return;
        var width = slot.Width;
        if (width > MaxLoggedWidth) return;
        var names = slot.Layout.ColumnNames(width);
        for (var at = 0; at < width; at++)
        {
            var column = record.Begin(1);
            record.Bytes(1, names[at]);
            WriteValues(record, slot, at, width, rows, key);
            record.End(column);
        }
    }

    private static void WriteValues(ProtoBuffer record, InputSlot slot, int at, int width, int rows, MaskingKey key)
    {
        var datatype = slot.Layout.Datatype;
        var values = record.Begin(datatype.Element switch
        {
            _ when datatype.IsFloating => 2,
            TensorElementType.String => 4,
            TensorElementType.Bool => 5,
            _ => 3,
        });
        if (slot.Layout.IsPersonal)
        {
            Span<byte> masked = stackalloc byte[MaskingKey.MaskedLength];
            for (var row = 0; row < rows; row++) record.Bytes(1, masked[..key.Mask(slot.Text((row * width) + at), masked)]);
        }
        else if (datatype.IsText)
        {
            for (var row = 0; row < rows; row++) record.Bytes(1, slot.Text((row * width) + at));
        }
        else if (datatype.Element == TensorElementType.Float)
        {
            record.Doubles(1, MemoryMarshal.Cast<byte, float>(slot.Bytes), at, width, rows);
        }
        else
        {
            var packed = record.Begin(1);
            for (var row = 0; row < rows; row++)
            {
                if (datatype.IsFloating) record.Double(Tensors.NumberAt(datatype, slot.Bytes, (row * width) + at));
                else record.Varint((ulong)Tensors.IntegerAt(datatype, slot.Bytes, (row * width) + at));
            }

            record.End(packed);
        }

        record.End(values);
    }

    // The first value of each row of the first output; NaN where that is text.
    private static void WriteFirstOutput(ProtoBuffer record, OutputSlot[] outputs, int rows)
    {
        if (outputs.Length == 0 || outputs[0].Count < rows) return;
        var width = outputs[0].Count / rows;
        var packed = record.Begin(8);
        for (var row = 0; row < rows; row++) record.Double(outputs[0].NumberAt(row * width));
        record.End(packed);
    }
}
