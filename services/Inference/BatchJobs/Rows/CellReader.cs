using System.Globalization;
using System.Text;
using System.Text.Json;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.BatchJobs.Rows;

/// <summary>Sets one value of an input from its text. Null when done, else the rule that is broken.</summary>
internal static class CellReader
{
    private const string Missing = "must not be missing";

    /// <summary>A field of CSV: empty is missing, unless it is text in quotes.</summary>
    public static string? FromCsv(InputSlot slot, int element, ReadOnlySpan<byte> field, bool isQuoted)
    {
        if (slot.Layout.Datatype.IsText)
        {
            if (!field.IsEmpty || isQuoted) return slot.TryAppendText(field) ? null : "must be UTF-8 text";
            return slot.TryAppendMissing() ? null : Missing;
        }

        if (field.IsEmpty) return TrySetMissing(slot, element);
        if (field[0] == (byte)' ' || field[^1] == (byte)' ') field = field.Trim((byte)' ');
        return slot.Layout.Datatype.Element switch
        {
            TensorElementType.Bool when IsWord(field, "true"u8) || IsWord(field, "t"u8) || IsWord(field, "1"u8) => Set(slot, element, true),
            TensorElementType.Bool when IsWord(field, "false"u8) || IsWord(field, "f"u8) || IsWord(field, "0"u8) => Set(slot, element, false),
            TensorElementType.Bool => "must be true or false",
            _ => FromNumber(slot, element, field),
        };
    }

    /// <summary>A number, integer or floating point, as the input's datatype has it.</summary>
    public static string? FromNumber(InputSlot slot, int element, ReadOnlySpan<byte> text)
    {
        switch (slot.Layout.Datatype.Element)
        {
            case TensorElementType.Float:
                if (!Decimals.TryFloat(text, out var single)) return "must be a number";
                if (!float.IsFinite(single)) return float.IsNaN(single) ? TrySetMissing(slot, element) : "must be finite FP32";
                slot.Set(element, single);
                return null;
            case TensorElementType.Double or TensorElementType.Float16 or TensorElementType.BFloat16:
                if (!Decimals.TryDouble(text, out var number)) return "must be a number";
                if (double.IsNaN(number)) return TrySetMissing(slot, element);
                return TrySetFloating(slot, element, number);
            case TensorElementType.UInt64:
                if (!ulong.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var natural)) return RuleOfIntegers(slot);
                slot.Set(element, natural);
                return null;
            case TensorElementType.Bool:
                return "must be true or false";
            default:
                return long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer)
                    && Columns.TrySetInteger(slot, element, integer)
                    ? null
                    : RuleOfIntegers(slot);
        }
    }

    /// <summary>The value the reader stands on.</summary>
    public static string? FromJson(InputSlot slot, int element, ref Utf8JsonReader reader)
    {
        var isText = slot.Layout.Datatype.IsText;
        switch (reader.TokenType)
        {
            case JsonTokenType.Null:
                return isText ? slot.TryAppendMissing() ? null : Missing : TrySetMissing(slot, element);
            case JsonTokenType.Number when !isText:
                return FromNumber(slot, element, reader.ValueSpan);
            case JsonTokenType.True or JsonTokenType.False when slot.Layout.Datatype.Element == TensorElementType.Bool:
                return Set(slot, element, reader.TokenType == JsonTokenType.True);
            case JsonTokenType.String when isText:
                return FromJsonText(slot, ref reader);
            default:
                return isText ? "must be text" : slot.Layout.Datatype.Element == TensorElementType.Bool ? "must be true or false" : "must be a number";
        }
    }

    public static string? TrySetMissing(InputSlot slot, int element)
    {
        if (!slot.Layout.IsNullable) return Missing;
        switch (slot.Layout.Datatype.Element)
        {
            case TensorElementType.Float: slot.Set(element, float.NaN); return null;
            case TensorElementType.Double or TensorElementType.Float16 or TensorElementType.BFloat16:
                Columns.SetFloating(slot, element, double.NaN);
                return null;
            default: return Missing;
        }
    }

    private static string? TrySetFloating(InputSlot slot, int element, double value)
    {
        Columns.SetFloating(slot, element, value);
        return double.IsFinite(Tensors.NumberAt(slot.Layout.Datatype, slot.Bytes, element))
            ? null
            : $"must be finite {slot.Layout.Datatype.Name}";
    }

    private static string? FromJsonText(InputSlot slot, ref Utf8JsonReader reader)
    {
        if (!reader.ValueIsEscaped) return slot.TryAppendText(reader.ValueSpan) ? null : "must be UTF-8 text";
        var scratch = System.Buffers.ArrayPool<byte>.Shared.Rent(reader.ValueSpan.Length);
        try
        {
            return slot.TryAppendText(scratch.AsSpan(0, reader.CopyString(scratch))) ? null : "must be UTF-8 text";
        }
        finally
        {
            System.Buffers.ArrayPool<byte>.Shared.Return(scratch);
        }
    }

    private static string? Set(InputSlot slot, int element, bool value)
    {
        slot.Set(element, value);
        return null;
    }

    private static bool IsWord(ReadOnlySpan<byte> field, ReadOnlySpan<byte> word) => Ascii.EqualsIgnoreCase(field, word);

    private static string RuleOfIntegers(InputSlot slot) => $"must be an integer within the range of {slot.Layout.Datatype.Name}";
}
