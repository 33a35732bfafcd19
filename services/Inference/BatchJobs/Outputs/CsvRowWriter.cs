using System.Buffers;
using System.Text;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Inference.BatchJobs.Rows;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.BatchJobs.Outputs;

/// <summary>CSV (RFC 4180, LF): a missing value is empty, an empty text <c>""</c>.</summary>
internal sealed class CsvRowWriter(OutputColumns columns) : IRowWriter
{
    private static readonly SearchValues<byte> Special = SearchValues.Create(",\"\r\n"u8);

    public ReadOnlyMemory<byte> Header { get; } = HeaderOf(columns);

    public void Write(
        OutputText text, RowChunk chunk, int row, ReadOnlySpan<OutputSlot> outputs, int at, PredictionRowId predictionId)
    {
        text.Add(chunk.Row(row));
        foreach (var column in chunk.Kept)
        {
            text.Add((byte)',');
            var kind = column.Kind(row);
            if (kind == TextKind.Plain) text.Add(column[row]);
            else if (kind != TextKind.Missing) AddText(text, column[row]);
        }

        foreach (var output in outputs)
        {
            var width = output.Layout.RowWidth;
            for (var i = at * width; i < (at + 1) * width; i++)
            {
                text.Add((byte)',');
                AddValue(text, output, i);
            }
        }

        if (columns.HasPredictionId)
        {
            text.Add((byte)',');
            if (!predictionId.IsEmpty) predictionId.WriteTo(text);
        }

        text.Add((byte)'\n');
    }

    private static void AddValue(OutputText text, OutputSlot output, int i)
    {
        switch (output.Layout.Datatype.Element)
        {
            case TensorElementType.Float: text.Add(output.As<float>()[i]); break;
            case TensorElementType.Double or TensorElementType.Float16 or TensorElementType.BFloat16: text.Add(output.NumberAt(i)); break;
            case TensorElementType.String: AddText(text, output.Text(i)); break;
            case TensorElementType.Bool: text.Add(output.Bytes[i] != 0 ? "true"u8 : "false"u8); break;
            case TensorElementType.UInt64:
                output.As<ulong>()[i].TryFormat(text.Reserve(20), out var written);
                text.Advance(written);
                break;
            default: text.Add(Tensors.IntegerAt(output.Layout.Datatype, output.Bytes, i)); break;
        }
    }

    private static void AddText(OutputText text, ReadOnlySpan<byte> utf8)
    {
        if (!utf8.IsEmpty && utf8.IndexOfAny(Special) < 0)
        {
            text.Add(utf8);
            return;
        }

        text.Add((byte)'"');
        while (utf8.IndexOf((byte)'"') is var quote and >= 0)
        {
            text.Add(utf8[..(quote + 1)]);
            text.Add((byte)'"');
            utf8 = utf8[(quote + 1)..];
        }

        text.Add(utf8);
        text.Add((byte)'"');
    }

    private static byte[] HeaderOf(OutputColumns columns)
    {
        var text = new OutputText(256);
        foreach (var name in columns.Names)
        {
            if (text.Length > 0) text.Add((byte)',');
            AddText(text, Encoding.UTF8.GetBytes(name));
        }

        text.Add((byte)'\n');
        return text.Written.ToArray();
    }
}
