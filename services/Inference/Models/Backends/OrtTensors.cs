using Microsoft.ML.OnnxRuntime;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.Models.Backends;

/// <summary>Tensors of a request as ONNX Runtime's values, and back.</summary>
internal static class OrtTensors
{
    /// <summary>A value over the slot's own memory, for as long as that stays; of text a copy.</summary>
    public static OrtValue Of(InputSlot slot)
    {
        if (!slot.Layout.Datatype.IsText)
        {
            return OrtValue.CreateTensorValueWithData(
                OrtMemoryInfo.DefaultInstance, slot.Layout.Datatype.Element, slot.Shape, slot.Address, slot.Bytes.Length);
        }

        var texts = OrtValue.CreateTensorWithEmptyStrings(OrtAllocator.DefaultInstance, slot.Shape);
        for (var i = 0; i < slot.Count; i++) texts.StringTensorSetElementAt(slot.Text(i), i);
        return texts;
    }

    public static void Take(OrtValue result, OutputSlot output)
    {
        var shape = result.GetTensorTypeAndShape();
        var values = output.Begin(shape.Shape);
        if (!output.Layout.Datatype.IsText)
        {
            result.GetTensorMutableRawData().CopyTo(values);
            return;
        }

        for (var i = 0; i < shape.ElementCount; i++) output.AppendText(result.GetStringElementAsSpan(i));
    }
}
