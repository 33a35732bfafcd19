using Microsoft.ML.OnnxRuntime;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Models.Backends;

/// <summary>
/// A graph, or a part of one, in ONNX Runtime: some of its inputs are the request's, others are fed. Safe to call from many
/// threads at once.
/// </summary>
internal sealed class OnnxPart : IDisposable
{
    private readonly string _model;
    private readonly InferenceSession _session;
    private readonly RunOptions _options = new();
    private readonly string[] _inputs;
    private readonly string[] _outputs;
    private readonly int[] _sources;

    /// <param name="model">Name, for refusals.</param>
    /// <param name="content">The graph.</param>
    /// <param name="settings">How it is computed.</param>
    /// <param name="inputs">The request's.</param>
    /// <param name="fed">Names of those that are fed.</param>
    public OnnxPart(string model, byte[] content, OnnxSettings settings, TensorLayout[] inputs, params string[] fed)
    {
        _model = model;
        ContentBytes = content.Length;
        _session = OnnxSessions.Open(content, settings);
        _inputs = [.. _session.InputNames];
        _outputs = [.. _session.OutputNames];
        _sources = [.. _inputs.Select(name => Array.IndexOf(fed, name) is >= 0 and var place
            ? ~place
            : Array.FindIndex(inputs, input => input.Name == name))];
    }

    public IReadOnlyDictionary<string, NodeMetadata> Outputs => _session.OutputMetadata;

    /// <summary>Size of the graph.</summary>
    public int ContentBytes { get; }

    public bool Takes(string input) => _inputs.Contains(input);

    /// <summary>The outputs, in the graph's order.</summary>
    /// <param name="inputs">Of the request, checked.</param>
    /// <param name="fed">In the order of their names; stay the caller's.</param>
    /// <exception cref="InvalidRequestException">MODEL_REFUSED_INPUT.</exception>
    public IDisposableReadOnlyCollection<OrtValue> Run(ReadOnlySpan<InputSlot> inputs, ReadOnlySpan<OrtValue> fed)
    {
        var values = new OrtValue[_sources.Length];
        try
        {
            for (var i = 0; i < values.Length; i++) values[i] = _sources[i] < 0 ? fed[~_sources[i]] : OrtTensors.Of(inputs[_sources[i]]);
            return _session.Run(_options, _inputs, values, _outputs);
        }
        catch (OnnxRuntimeException e)
        {
            throw new InvalidRequestException("MODEL_REFUSED_INPUT", $"Model '{_model}' cannot compute this input: {e.Message}");
        }
        finally
        {
            for (var i = 0; i < values.Length; i++)
            {
                if (_sources[i] >= 0) values[i]?.Dispose();
            }
        }
    }

    public void Dispose()
    {
        _options.Dispose();
        _session.Dispose();
    }
}
