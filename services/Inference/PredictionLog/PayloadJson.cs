using System.Buffers;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.PredictionLog;

/// <summary>
/// A request and its answer as the Open Inference Protocol's JSON, whatever protocol they came by. Personal inputs are
/// masked, or missing, as in the log; NaN and infinities are null.
/// </summary>
internal static class PayloadJson
{
    private static readonly JsonWriterOptions Fast = new() { SkipValidation = true };

    public static byte[] Request(Workspace workspace, Guid id, MaskingKey key)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer, Fast))
        {
            writer.WriteStartObject();
            writer.WriteString("id"u8, id.ToString("N"));
            writer.WriteStartArray("inputs"u8);
            foreach (var slot in workspace.Inputs)
            {
                if (!slot.Layout.IsPersonal || slot.Layout.Datatype.IsText) Write(writer, slot, key);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    public static byte[] Answer(Workspace workspace, Guid id)
    {
        var buffer = new ArrayBufferWriter<byte>(1024);
        using (var writer = new Utf8JsonWriter(buffer, Fast))
        {
            writer.WriteStartObject();
            writer.WriteString("model_name"u8, workspace.Model.Model);
            writer.WriteString("model_version"u8, workspace.Model.VersionText);
            writer.WriteString("id"u8, id.ToString("N"));
            writer.WriteStartArray("outputs"u8);
            foreach (var output in workspace.Outputs)
            {
                Begin(writer, output.Layout, output.Shape);
                for (var i = 0; i < output.Count; i++)
                {
                    if (output.Layout.Datatype.IsText) writer.WriteStringValue(output.Text(i));
                    else WriteNumber(writer, output.Layout.Datatype, output.Bytes, i);
                }

                End(writer);
            }

            writer.WriteEndArray();
            writer.WriteEndObject();
        }

        return buffer.WrittenSpan.ToArray();
    }

    private static void Write(Utf8JsonWriter writer, InputSlot slot, MaskingKey key)
    {
        Span<byte> masked = stackalloc byte[MaskingKey.MaskedLength];
        Begin(writer, slot.Layout, slot.Shape);
        for (var i = 0; i < slot.Count; i++)
        {
            if (slot.Layout.IsPersonal) writer.WriteStringValue(masked[..key.Mask(slot.Text(i), masked)]);
            else if (slot.Layout.Datatype.IsText) writer.WriteStringValue(slot.Text(i));
            else WriteNumber(writer, slot.Layout.Datatype, slot.Bytes, i);
        }

        End(writer);
    }

    private static void Begin(Utf8JsonWriter writer, TensorLayout layout, long[] shape)
    {
        writer.WriteStartObject();
        writer.WriteString("name"u8, layout.NameUtf8);
        writer.WriteString("datatype"u8, layout.Datatype.Name);
        writer.WriteStartArray("shape"u8);
        foreach (var size in shape) writer.WriteNumberValue(size);
        writer.WriteEndArray();
        writer.WriteStartArray("data"u8);
    }

    private static void End(Utf8JsonWriter writer)
    {
        writer.WriteEndArray();
        writer.WriteEndObject();
    }

    private static void WriteNumber(Utf8JsonWriter writer, Datatype datatype, ReadOnlySpan<byte> bytes, int i)
    {
        switch (datatype.Element)
        {
            case TensorElementType.Bool:
                writer.WriteBooleanValue(bytes[i] != 0);
                break;
            case TensorElementType.UInt64:
                writer.WriteNumberValue(unchecked((ulong)Tensors.IntegerAt(datatype, bytes, i)));
                break;
            case var _ when !datatype.IsFloating:
                writer.WriteNumberValue(Tensors.IntegerAt(datatype, bytes, i));
                break;
            case var _ when Tensors.NumberAt(datatype, bytes, i) is var value && !double.IsFinite(value):
                writer.WriteNullValue();
                break;
            case TensorElementType.Double:
                writer.WriteNumberValue(Tensors.NumberAt(datatype, bytes, i));
                break;
            default:
                // Shortest digits that read back as the same value.
                writer.WriteNumberValue((float)Tensors.NumberAt(datatype, bytes, i));
                break;
        }
    }
}
