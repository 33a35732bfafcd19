using MlOps.Numerics.Onnx;
using MlOps.Numerics.Trees;

namespace MlOps.Inference.Models.Backends;

/// <summary>What was read of a version's graph, once for all who look at it.</summary>
internal sealed class GraphParts
{
    public GraphParts(byte[] content, TensorLayout[] inputs, TensorLayout[] outputs)
    {
        Inputs = inputs;
        Outputs = outputs;
        try
        {
            Graph = new OnnxGraph(content);
            Trees = OnnxTrees.Read(Graph);
            if (Trees is not null) Features = FeaturesOf(Graph, Trees.Input);
        }
        catch (Exception e) when (e is NotSupportedException or InvalidDataException)
        {
            WhyNoTrees = e.Message;
        }
    }

    public TensorLayout[] Inputs { get; }

    public TensorLayout[] Outputs { get; }

    /// <summary>Null: it could not be read.</summary>
    public OnnxGraph? Graph { get; }

    /// <summary>Null: it has none, or none that can be evaluated, as <see cref="WhyNoTrees"/> says.</summary>
    public OnnxTrees? Trees { get; }

    public string WhyNoTrees { get; } = "the graph has no trees";

    /// <summary>How the rows of the trees follow from the inputs; empty: in no way that is known.</summary>
    public IReadOnlyList<EncodedFeature> Features { get; } = [];

    private static IReadOnlyList<EncodedFeature> FeaturesOf(OnnxGraph graph, string tensor)
    {
        try
        {
            return OnnxEncoding.Read(graph, tensor);
        }
        catch (NotSupportedException)
        {
            return [];
        }
    }
}
