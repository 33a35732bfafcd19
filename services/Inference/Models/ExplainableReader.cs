using MlOps.Inference.Models.Backends;
using MlOps.Numerics;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Trees;

namespace MlOps.Inference.Models;

/// <summary>Takes a graph apart for explanations.</summary>
internal static class ExplainableReader
{
    /// <exception cref="NotSupportedException">The graph is more than an encoding, a model and a link; says what.</exception>
    /// <exception cref="InvalidDataException">The graph is broken.</exception>
    public static Explainable Read(OnnxGraph graph, ReadOnlyMemory<byte> content, TensorLayout[] inputs, TensorLayout[] outputs)
    {
        var (input, sums, models) = ReadModel(graph, content);
        var features = OnnxEncoding.Read(graph, input);
        if (models.Any(model => model.FeatureCount > features.Count))
        {
            throw new NotSupportedException($"The model takes more than the {features.Count} features it is given.");
        }

        var link = OnnxLink.Read(graph, sums) ?? throw new NotSupportedException("The graph makes something else of the model's sums than a link.");
        var output = Array.FindIndex(outputs, layout => layout.Name == link.Output);
        return output < 0
            ? throw new NotSupportedException($"Output '{link.Output}' is not in the signature.")
            : new Explainable(
                new RowEncoder(features, inputs),
                [.. models.Select((model, column) => new ExplainableScore(Widened(model, features.Count), output, column))], link.Link);
    }

    private static (string Input, string Sums, IReadOnlyList<IPredictor> Models) ReadModel(OnnxGraph graph, ReadOnlyMemory<byte> content)
    {
        if (OnnxTrees.Read(content.Span) is { } trees) return (trees.Input, trees.Output, [trees.Ensemble]);
        if (OnnxLinear.Read(graph) is { } linear) return (linear.Input, linear.Output, linear.Targets);
        throw new NotSupportedException("The graph has neither one node of trees nor one linear one.");
    }

    // Trees are read as wide as the last feature they ask for.
    private static IPredictor Widened(IPredictor model, int width) =>
        model is TreeEnsemble trees ? trees with { FeatureCount = width } : model;
}
