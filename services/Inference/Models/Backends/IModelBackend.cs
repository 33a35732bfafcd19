using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Models.Backends;

/// <summary>Computes a model's outputs from its inputs; safe to call from many threads at once.</summary>
internal interface IModelBackend : IDisposable
{
    /// <summary>As the model's metadata shows it.</summary>
    string Name { get; }

    /// <param name="inputs">Checked, in the model's order.</param>
    /// <param name="outputs">Take shape and values, in the model's order.</param>
    /// <exception cref="InvalidRequestException">MODEL_REFUSED_INPUT: the model itself has no answer to these values.</exception>
    void Run(ReadOnlySpan<InputSlot> inputs, ReadOnlySpan<OutputSlot> outputs);
}
