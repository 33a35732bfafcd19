namespace MlOps.Numerics.Onnx;

/// <summary>
/// From raw columns to one prediction: the inputs in order, and the model over their encoded features.
/// </summary>
public sealed record TabularPipeline(IReadOnlyList<TabularInput> Inputs, IPredictor Model)
{
    /// <summary>Lines of text to carry inside the exported model (metadata_props).</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; init; } = new Dictionary<string, string>();
}
