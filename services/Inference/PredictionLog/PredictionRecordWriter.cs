using System.Globalization;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.PredictionLog;

/// <summary>
/// Writes one <c>mlops.monitoring.v1.PredictionRecord</c> without making its objects. An input of w values a row is
/// logged as columns <c>name[0]</c> … <c>name[w−1]</c>, and not at all beyond 1,000.
/// </summary>
internal static class PredictionRecordWriter
{
    /// <summary>Field of <c>PredictionBatch</c> that holds the records.</summary>
    public const int RecordsField = 1;
    private const int MaxLoggedWidth = 1_000;

    public static void Write(
        Workspace workspace, LoadedModel model, Call call, Guid id, DateTimeOffset now, TimeSpan latency)
    {
        var record = workspace.Record;
        Span<byte> idBytes = stackalloc byte[16];
        id.TryWriteBytes(idBytes, bigEndian: true, out _);
        record.Bytes(1, idBytes);
        record.Text(2, model.Model);
        record.Text(3, model.VersionText);
        record.Text(4, call.Variant);
        record.Integer(5, (now - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond);
        record.Text(6, call.SubjectHash);
        var inputs = record.Begin(7);
        foreach (var slot in workspace.Inputs) WriteInput(record, slot, workspace.Rows);
        record.End(inputs);
        WriteFirstOutput(record, workspace.Outputs, workspace.Rows);
        record.Integer(9, (long)latency.TotalMicroseconds);
        record.Text(10, call.Protocol);
        if (call.ShadowOf is not { } live) return;
        live.TryWriteBytes(idBytes, bigEndian: true, out _);
        record.Bytes(13, idBytes);
    }

    private static void WriteInput(ProtoBuffer record, InputSlot slot, int rows)
    {
        // An input that is not per row stands for all of them and would repeat in each.
        if (slot.Rows != rows || slot.Count % rows != 0) return;
        var width = slot.Count / rows;
        if (width > MaxLoggedWidth) return;
        for (var at = 0; at < width; at++)
        {
            var column = record.Begin(1);
            if (width == 1) record.Bytes(1, slot.Layout.NameUtf8);
            else record.Text(1, string.Create(CultureInfo.InvariantCulture, $"{slot.Layout.Name}[{at}]"));
            WriteValues(record, slot, at, width, rows);
            record.End(column);
        }
    }

    private static void WriteValues(ProtoBuffer record, InputSlot slot, int at, int width, int rows)
    {
        var datatype = slot.Layout.Datatype;
        var values = record.Begin(datatype.Element switch
        {
            _ when datatype.IsFloating => 2,
            TensorElementType.String => 4,
            TensorElementType.Bool => 5,
            _ => 3,
        });
        if (datatype.IsText)
        {
            for (var row = 0; row < rows; row++) record.Bytes(1, slot.Text((row * width) + at));
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
