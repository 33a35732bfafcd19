using System.Buffers;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.Protocol;

/// <summary>Tensor values in JSON: row-major, flat or nested as the shape says; null is a missing value.</summary>
internal static class JsonValues
{
    /// <summary>
    /// Reads the array the reader stands on into a slot whose shape is known, to the array's end.
    /// Null when done, else the rule that is broken; the reader then stands where it was broken.
    /// </summary>
    public static string? TryReadArray(ref Utf8JsonReader reader, InputSlot slot)
    {
        if (reader.TokenType != JsonTokenType.StartArray) return "must have 'data' that is an array";
        var shape = slot.Shape;
        Span<long> counts = stackalloc long[Math.Max(1, shape.Length)];
        counts.Clear();
        var depth = 1;
        bool? isNested = null;
        while (depth > 0)
        {
            reader.Read();
            if (reader.TokenType == JsonTokenType.StartArray)
            {
                if (isNested == false || depth >= shape.Length) return NotOfShape(slot);
                isNested = true;
                counts[depth - 1]++;
                counts[depth++] = 0;
            }
            else if (reader.TokenType == JsonTokenType.EndArray)
            {
                if (isNested == true && counts[depth - 1] != shape[depth - 1]) return NotOfShape(slot);
                depth--;
            }
            else
            {
                isNested ??= false;
                if (isNested == true && depth != shape.Length) return NotOfShape(slot);
                counts[depth - 1]++;
                if (slot.Count == slot.Expected) return $"must have {slot.Expected} values, not more";
                if (!TryRead(ref reader, slot)) return RuleOf(slot, ref reader);
            }
        }

        return null;
    }

    public static void Write(Utf8JsonWriter writer, OutputSlot output, int i)
    {
        switch (output.Layout.Datatype.Element)
        {
            case TensorElementType.Float when float.IsFinite(output.As<float>()[i]): writer.WriteNumberValue(output.As<float>()[i]); break;
            case TensorElementType.Double when double.IsFinite(output.As<double>()[i]): writer.WriteNumberValue(output.As<double>()[i]); break;
            case TensorElementType.Float16 or TensorElementType.BFloat16 when double.IsFinite(output.NumberAt(i)):
                writer.WriteNumberValue(output.NumberAt(i));
                break;
            // JSON has no NaN and no infinities.
            case TensorElementType.Float or TensorElementType.Double or TensorElementType.Float16 or TensorElementType.BFloat16: writer.WriteNullValue(); break;
            case TensorElementType.String: writer.WriteStringValue(output.Text(i)); break;
            case TensorElementType.Bool: writer.WriteBooleanValue(output.Bytes[i] != 0); break;
            case TensorElementType.UInt64: writer.WriteNumberValue(output.As<ulong>()[i]); break;
            default: writer.WriteNumberValue(Tensors.IntegerAt(output.Layout.Datatype, output.Bytes, i)); break;
        }
    }

    private static bool TryRead(ref Utf8JsonReader reader, InputSlot slot)
    {
        if (reader.TokenType == JsonTokenType.Null) return slot.TryAppendMissing();
        switch (slot.Layout.Datatype.Element)
        {
            case TensorElementType.Float when reader.TokenType == JsonTokenType.Number && reader.TryGetSingle(out var value):
                slot.Append(value);
                return true;
            case TensorElementType.Double when reader.TokenType == JsonTokenType.Number && reader.TryGetDouble(out var value):
                slot.Append(value);
                return true;
            case TensorElementType.UInt64 when reader.TokenType == JsonTokenType.Number && reader.TryGetUInt64(out var value):
                slot.Append(value);
                return true;
            case TensorElementType.Bool when reader.TokenType is JsonTokenType.True or JsonTokenType.False:
                slot.Append(reader.GetBoolean());
                return true;
            case TensorElementType.String when reader.TokenType == JsonTokenType.String:
                return TryReadText(ref reader, slot);
            case TensorElementType.Float or TensorElementType.Double or TensorElementType.UInt64 or TensorElementType.Float16
                or TensorElementType.BFloat16 or TensorElementType.Bool or TensorElementType.String:
                return false;
            default:
                return reader.TokenType == JsonTokenType.Number && reader.TryGetInt64(out var integer)
                    && Columns.TryAppendInteger(slot, integer);
        }
    }

    private static bool TryReadText(ref Utf8JsonReader reader, InputSlot slot)
    {
        if (!reader.ValueIsEscaped && !reader.HasValueSequence) return slot.TryAppendText(reader.ValueSpan);
        var rented = ArrayPool<byte>.Shared.Rent(reader.ValueSpan.Length);
        try
        {
            return slot.TryAppendText(rented.AsSpan(0, reader.CopyString(rented)));
        }
        catch (InvalidOperationException)
        {
            // A lone surrogate escape has no UTF-8.
            return false;
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    private static string RuleOf(InputSlot slot, ref Utf8JsonReader reader)
    {
        if (reader.TokenType == JsonTokenType.Null) return $"must not be missing (value {slot.Count})";
        var datatype = slot.Layout.Datatype;
        return datatype.Element switch
        {
            _ when datatype.IsRawOnly => $"of datatype {datatype.Name} has no JSON form; send it as binary data",
            TensorElementType.String => $"must be strings of valid text (value {slot.Count})",
            TensorElementType.Bool => $"must be true or false (value {slot.Count})",
            TensorElementType.Float or TensorElementType.Double => $"must be numbers (value {slot.Count})",
            _ => $"must be integers within the range of {datatype.Name} (value {slot.Count})",
        };
    }

    private static string NotOfShape(InputSlot slot) =>
        $"must have 'data' that is flat or nested like its shape [{string.Join(',', slot.Shape.ToArray())}]";
}
