using Microsoft.ML.OnnxRuntime;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Models.Backends;

/// <summary>The whole graph in ONNX Runtime.</summary>
internal sealed class OnnxBackend(string model, InferenceSession session, TensorLayout[] inputs, TensorLayout[] outputs)
    : IModelBackend
{
    public const string OnnxRuntime = "onnxruntime";
    private readonly string[] _inputNames = [.. inputs.Select(i => i.Name)];
    private readonly string[] _outputNames = [.. outputs.Select(o => o.Name)];
    private readonly RunOptions _options = new();

    public string Name => OnnxRuntime;

    public void Run(ReadOnlySpan<InputSlot> inputs, ReadOnlySpan<OutputSlot> outputs)
    {
        var values = new OrtValue[inputs.Length];
        try
        {
            for (var i = 0; i < values.Length; i++) values[i] = OrtTensors.Of(inputs[i]);
            using var results = session.Run(_options, _inputNames, values, _outputNames);
            for (var i = 0; i < outputs.Length; i++) OrtTensors.Take(results[i], outputs[i]);
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

    public void Dispose()
    {
        _options.Dispose();
        session.Dispose();
    }
}
