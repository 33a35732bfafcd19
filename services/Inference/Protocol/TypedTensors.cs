using System.Runtime.InteropServices;
using Google.Protobuf;
using Google.Protobuf.Collections;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Contracts.OpenInference;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>Tensors as the typed <c>contents</c> of the gRPC protocol; the datatype says which list holds the values.</summary>
internal static class TypedTensors
{
    public static bool HasAny(InferTensorContents? contents) => contents is not null && TotalOf(contents) > 0;

    public static void Read(InferTensorContents? contents, InputSlot slot, Violations violations)
    {
        var name = slot.Layout.Name;
        var datatype = slot.Layout.Datatype;
        contents ??= new InferTensorContents();
        var (list, count) = ListOf(datatype, contents);
        if (count is null)
        {
            violations.Add(name, $"of datatype {datatype.Name} must be given in raw_input_contents");
        }
        else if (TotalOf(contents) != count)
        {
            violations.Add(name, $"of datatype {datatype.Name} must have its values in {list} only");
        }
        else if (count != slot.Expected)
        {
            violations.Add(name, $"must have {slot.Expected} values in {list}, not {count}");
        }
        else if (!TryCopy(contents, slot))
        {
            violations.Add(name, datatype.IsText
                ? $"must be UTF-8 text (value {slot.Count})"
                : $"must be within the range of {datatype.Name} (value {slot.Count})");
        }
    }

    public static InferTensorContents? Write(OutputSlot output)
    {
        var contents = new InferTensorContents();
        switch (output.Layout.Datatype.Element)
        {
            case TensorElementType.Float: contents.Fp32Contents.AddRange(output.As<float>()); break;
            case TensorElementType.Double: contents.Fp64Contents.AddRange(output.As<double>()); break;
            case TensorElementType.Int64: contents.Int64Contents.AddRange(output.As<long>()); break;
            case TensorElementType.UInt64: contents.Uint64Contents.AddRange(output.As<ulong>()); break;
            case TensorElementType.Int32: contents.IntContents.AddRange(output.As<int>()); break;
            case TensorElementType.UInt32: contents.UintContents.AddRange(output.As<uint>()); break;
            case TensorElementType.Bool: contents.BoolContents.AddRange(output.As<bool>()); break;
            case TensorElementType.String:
                for (var i = 0; i < output.Count; i++) contents.BytesContents.Add(ByteString.CopyFrom(output.Text(i)));
                break;
            case TensorElementType.Int8 or TensorElementType.Int16:
                for (var i = 0; i < output.Count; i++) contents.IntContents.Add((int)IntegerAt(output, i));
                break;
            case TensorElementType.UInt8 or TensorElementType.UInt16:
                for (var i = 0; i < output.Count; i++) contents.UintContents.Add((uint)IntegerAt(output, i));
                break;
            default:
                return null; // FP16 and BF16 exist raw only.
        }

        return contents;
    }

    private static long IntegerAt(OutputSlot output, int i) => Tensors.IntegerAt(output.Layout.Datatype, output.Bytes, i);

    private static (string List, int? Count) ListOf(Datatype datatype, InferTensorContents contents) => datatype.Element switch
    {
        TensorElementType.Float => ("fp32_contents", contents.Fp32Contents.Count),
        TensorElementType.Double => ("fp64_contents", contents.Fp64Contents.Count),
        TensorElementType.Int64 => ("int64_contents", contents.Int64Contents.Count),
        TensorElementType.UInt64 => ("uint64_contents", contents.Uint64Contents.Count),
        TensorElementType.Int32 or TensorElementType.Int16 or TensorElementType.Int8 => ("int_contents", contents.IntContents.Count),
        TensorElementType.UInt32 or TensorElementType.UInt16 or TensorElementType.UInt8 => ("uint_contents", contents.UintContents.Count),
        TensorElementType.Bool => ("bool_contents", contents.BoolContents.Count),
        TensorElementType.String => ("bytes_contents", contents.BytesContents.Count),
        _ => ("raw_input_contents", null),
    };

    private static long TotalOf(InferTensorContents c) =>
        (long)c.BoolContents.Count + c.IntContents.Count + c.Int64Contents.Count + c.UintContents.Count
        + c.Uint64Contents.Count + c.Fp32Contents.Count + c.Fp64Contents.Count + c.BytesContents.Count;

    private static bool TryCopy(InferTensorContents contents, InputSlot slot) => slot.Layout.Datatype.Element switch
    {
        TensorElementType.Float => CopyAll(contents.Fp32Contents, slot),
        TensorElementType.Double => CopyAll(contents.Fp64Contents, slot),
        TensorElementType.Int64 => CopyAll(contents.Int64Contents, slot),
        TensorElementType.UInt64 => CopyAll(contents.Uint64Contents, slot),
        TensorElementType.Int32 => CopyAll(contents.IntContents, slot),
        TensorElementType.UInt32 => CopyAll(contents.UintContents, slot),
        TensorElementType.Bool => CopyAll(contents.BoolContents, slot),
        TensorElementType.String => TryCopyTexts(contents.BytesContents, slot),
        TensorElementType.Int16 or TensorElementType.Int8 => TryNarrow(contents.IntContents, slot),
        _ => TryNarrow(contents.UintContents, slot),
    };

    private static bool CopyAll<T>(RepeatedField<T> from, InputSlot slot) where T : unmanaged
    {
        var to = MemoryMarshal.Cast<byte, T>(slot.Reserve(from.Count));
        for (var i = 0; i < to.Length; i++) to[i] = from[i];
        return true;
    }

    private static bool TryCopyTexts(RepeatedField<ByteString> from, InputSlot slot)
    {
        foreach (var text in from)
        {
            if (!slot.TryAppendText(text.Span)) return false;
        }

        return true;
    }

    private static bool TryNarrow(RepeatedField<int> from, InputSlot slot)
    {
        foreach (var value in from)
        {
            if (!Columns.TryAppendInteger(slot, value)) return false;
        }

        return true;
    }

    private static bool TryNarrow(RepeatedField<uint> from, InputSlot slot)
    {
        foreach (var value in from)
        {
            if (!Columns.TryAppendInteger(slot, value)) return false;
        }

        return true;
    }
}
