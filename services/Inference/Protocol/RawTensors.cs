using System.Buffers.Binary;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>
/// Tensors as bytes: little-endian values one after another; BYTES elements each behind a 4-byte little-endian length.
/// </summary>
internal static class RawTensors
{
    public static void Read(ReadOnlySpan<byte> raw, InputSlot slot, Violations violations)
    {
        var name = slot.Layout.Name;
        if (slot.Layout.Datatype.IsText)
        {
            ReadTexts(raw, slot, violations);
            return;
        }

        var size = (long)slot.Expected * slot.Layout.Datatype.Size;
        if (raw.Length != size)
        {
            violations.Add(name, $"must have {size} raw bytes for {slot.Expected} {slot.Layout.Datatype.Name} values, not {raw.Length}");
            return;
        }

        if (slot.Layout.Datatype.Element == TensorElementType.Bool && raw.IndexOfAnyExceptInRange((byte)0, (byte)1) >= 0)
        {
            violations.Add(name, "must have raw BOOL values of 0 or 1");
            return;
        }

        raw.CopyTo(slot.Reserve(slot.Expected));
    }

    public static byte[] Write(OutputSlot output)
    {
        var raw = new byte[SizeOf(output)];
        Write(output, raw);
        return raw;
    }

    /// <summary>Bytes of the output as <see cref="Write(OutputSlot, Span{byte})"/> gives it.</summary>
    public static int SizeOf(OutputSlot output)
    {
        if (!output.Layout.Datatype.IsText) return output.Bytes.Length;
        var size = 0;
        for (var i = 0; i < output.Count; i++) size = checked(size + 4 + output.Text(i).Length);
        return size;
    }

    public static void Write(OutputSlot output, Span<byte> to)
    {
        if (!output.Layout.Datatype.IsText)
        {
            output.Bytes.CopyTo(to);
            return;
        }

        for (var i = 0; i < output.Count; i++)
        {
            var text = output.Text(i);
            BinaryPrimitives.WriteInt32LittleEndian(to, text.Length);
            text.CopyTo(to[4..]);
            to = to[(4 + text.Length)..];
        }
    }

    private static void ReadTexts(ReadOnlySpan<byte> raw, InputSlot slot, Violations violations)
    {
        while (raw.Length >= 4)
        {
            var length = BinaryPrimitives.ReadUInt32LittleEndian(raw);
            if (length > raw.Length - 4) break;
            if (slot.Count == slot.Expected || !slot.TryAppendText(raw.Slice(4, (int)length)))
            {
                violations.Add(slot.Layout.Name, slot.Count == slot.Expected
                    ? $"must have {slot.Expected} BYTES elements, not more"
                    : $"must be UTF-8 text (value {slot.Count})");
                return;
            }

            raw = raw[(4 + (int)length)..];
        }

        if (raw.Length > 0)
        {
            violations.Add(slot.Layout.Name, "must have raw BYTES elements that end with the buffer, each behind its 4-byte length");
        }
        else if (slot.Count != slot.Expected)
        {
            violations.Add(slot.Layout.Name, $"must have {slot.Expected} BYTES elements, not {slot.Count}");
        }
    }
}
