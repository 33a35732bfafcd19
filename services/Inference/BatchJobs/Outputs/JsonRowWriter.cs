using System.Text.Encodings.Web;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Inference.BatchJobs.Rows;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.BatchJobs.Outputs;

/// <summary>
/// One JSON object a line. Several values of an output are an array. JSON has no NaN and no infinities: they are null.
/// </summary>
internal sealed class JsonRowWriter(OutputColumns columns) : IRowWriter
{
    // {"row": is the first, every other name has its comma.
    private readonly byte[] _row = Name(OutputColumns.Row, '{');
    private readonly byte[][] _kept = [.. columns.Kept.Select(n => Name(n, ','))];
    private readonly byte[][] _outputs = [.. columns.Outputs.Select(o => Name(o.Name, ','))];
    private readonly byte[] _predictionId = Name(OutputColumns.PredictionId, ',');

    public ReadOnlyMemory<byte> Header => default;

    public void Write(
        OutputText text, RowChunk chunk, int row, ReadOnlySpan<OutputSlot> outputs, int at, PredictionRowId predictionId)
    {
        text.Add(_row);
        text.Add(chunk.Row(row));
        for (var i = 0; i < chunk.Kept.Length; i++)
        {
            text.Add(_kept[i]);
            AddKept(text, chunk.Kept[i], row);
        }

        for (var i = 0; i < outputs.Length; i++)
        {
            text.Add(_outputs[i]);
            AddOutput(text, outputs[i], at);
        }

        if (columns.HasPredictionId && !predictionId.IsEmpty)
        {
            text.Add(_predictionId);
            text.Add((byte)'"');
            predictionId.WriteTo(text);
            text.Add((byte)'"');
        }

        text.Add("}\n"u8);
    }

    private static void AddKept(OutputText text, TextColumn column, int row)
    {
        switch (column.Kind(row))
        {
            case TextKind.Missing: text.Add("null"u8); break;
            case TextKind.Literal: text.Add(column[row]); break;
            default: AddText(text, column[row]); break;
        }
    }

    private static void AddOutput(OutputText text, OutputSlot output, int at)
    {
        var width = output.Layout.RowWidth;
        if (width > 1) text.Add((byte)'[');
        for (var i = at * width; i < (at + 1) * width; i++)
        {
            if (i > at * width) text.Add((byte)',');
            AddValue(text, output, i);
        }

        if (width > 1) text.Add((byte)']');
    }

    private static void AddValue(OutputText text, OutputSlot output, int i)
    {
        var datatype = output.Layout.Datatype;
        switch (datatype.Element)
        {
            case TensorElementType.Float when float.IsFinite(output.As<float>()[i]): text.Add(output.As<float>()[i]); break;
            case TensorElementType.String: AddText(text, output.Text(i)); break;
            case TensorElementType.Bool: text.Add(output.Bytes[i] != 0 ? "true"u8 : "false"u8); break;
            case TensorElementType.UInt64:
                output.As<ulong>()[i].TryFormat(text.Reserve(20), out var written);
                text.Advance(written);
                break;
            case var _ when datatype.IsFloating && !double.IsFinite(output.NumberAt(i)): text.Add("null"u8); break;
            case var _ when datatype.IsFloating: text.Add(output.NumberAt(i)); break;
            default: text.Add(Tensors.IntegerAt(datatype, output.Bytes, i)); break;
        }
    }

    private static void AddText(OutputText text, ReadOnlySpan<byte> utf8)
    {
        text.Add((byte)'"');
        if (JavaScriptEncoder.UnsafeRelaxedJsonEscaping.FindFirstCharacterToEncodeUtf8(utf8) < 0) text.Add(utf8);
        else text.Add(JsonEncodedText.Encode(utf8, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes);
        text.Add((byte)'"');
    }

    private static byte[] Name(string name, char before) =>
    [
        (byte)before, (byte)'"', .. JsonEncodedText.Encode(name, JavaScriptEncoder.UnsafeRelaxedJsonEscaping).EncodedUtf8Bytes, .. "\":"u8,
    ];
}
