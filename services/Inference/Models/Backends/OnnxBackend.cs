using Microsoft.ML.OnnxRuntime;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Models.Backends;

/// <summary>The whole graph in ONNX Runtime.</summary>
internal sealed class OnnxBackend(string model, InferenceSession session, TensorLayout[] inputs, TensorLayout[] outputs)
    : IModelBackend
{
    private readonly string[] _inputNames = [.. inputs.Select(i => i.Name)];
    private readonly string[] _outputNames = [.. outputs.Select(o => o.Name)];
    private readonly RunOptions _options = new();

    public string Name => "onnxruntime";

    public void Run(ReadOnlySpan<InputSlot> inputs, ReadOnlySpan<OutputSlot> outputs)
    {
        var values = new OrtValue[inputs.Length];
        try
        {
            for (var i = 0; i < values.Length; i++) values[i] = ValueOf(inputs[i]);
            using var results = session.Run(_options, _inputNames, values, _outputNames);
            for (var i = 0; i < outputs.Length; i++) Take(results[i], outputs[i]);
        }
        catch (OnnxRuntimeException e)
        {
            throw new InvalidRequestException("MODEL_REFUSED_INPUT", $"Model '{model}' cannot compute this input: {e.Message}");
        }
        finally
        {
            foreach (var value in values) value?.Dispose();
        }
    }

    private static OrtValue ValueOf(InputSlot slot)
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

    private static void Take(OrtValue result, OutputSlot output)
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

    public void Dispose()
    {
        _options.Dispose();
        session.Dispose();
    }
}
