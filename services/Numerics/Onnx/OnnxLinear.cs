using MlOps.Numerics.Linear;

namespace MlOps.Numerics.Onnx;

/// <summary>
/// The linear part of a graph: a LinearRegressor, a Gemm, or a MatMul with or without an Add of constants behind it.
/// </summary>
/// <param name="Input">Name of the tensor it takes: N × features.</param>
/// <param name="Output">Name of the tensor it gives: N × targets.</param>
/// <param name="Targets">One per column of the output.</param>
public sealed record OnnxLinear(string Input, string Output, IReadOnlyList<LinearModel> Targets)
{
    /// <summary>Reads the graph's one linear part.</summary>
    /// <returns>Null when the graph has none, or more than one.</returns>
    /// <exception cref="NotSupportedException">It asks for more than a sum; says what.</exception>
    public static OnnxLinear? Read(OnnxGraph graph)
    {
        var nodes = graph.Nodes.Where(node =>
            node.IsMachineLearning("LinearRegressor") || node.Is("Gemm") || node.Is("MatMul")).ToArray();
        return nodes is not [var node] ? null
            : node.Operation == "LinearRegressor" ? OfRegressor(node)
            : node.Operation == "Gemm" ? OfGemm(graph, node)
            : OfMatMul(graph, node);
    }

    private static OnnxLinear OfRegressor(OnnxNode node)
    {
        if ((node.Text("post_transform") ?? "NONE") != "NONE")
            throw new NotSupportedException("Attribute 'post_transform' of LinearRegressor asks for more than a sum.");
        var targets = (int)(node.Integer("targets") ?? 1);
        var coefficients = node.Singles("coefficients");
        var intercepts = node.Singles("intercepts");
        if (targets < 1 || coefficients.Count == 0 || coefficients.Count % targets != 0
            || (intercepts.Count > 0 && intercepts.Count != targets))
            throw new NotSupportedException("A LinearRegressor without one row of coefficients per target.");
        var width = coefficients.Count / targets;
        return new OnnxLinear(node.Inputs[0], node.Outputs[0], [.. Enumerable.Range(0, targets).Select(target => new LinearModel(
            [.. coefficients.Skip(target * width).Take(width).Select(coefficient => (double)coefficient)],
            intercepts.Count > 0 ? intercepts[target] : 0))]);
    }

    private static OnnxLinear OfGemm(OnnxGraph graph, OnnxNode node)
    {
        if (node.Single("alpha") is not (null or 1) || node.Single("beta") is not (null or 1) || (node.Integer("transA") ?? 0) != 0)
            throw new NotSupportedException("A Gemm with a factor or of a transposed input.");
        var weights = Weights(graph, node.Inputs[1], isTransposed: node.Integer("transB") == 1);
        var bias = node.Inputs.Count > 2 ? graph.ConstantOf(node.Inputs[2])
            ?? throw new NotSupportedException("A Gemm with an addend that is no constant.") : null;
        return new OnnxLinear(node.Inputs[0], node.Outputs[0], Models(weights, bias));
    }

    private static OnnxLinear OfMatMul(OnnxGraph graph, OnnxNode node)
    {
        var weights = Weights(graph, node.Inputs[1], isTransposed: false);
        if (graph.TakersOf(node.Outputs[0]).ToArray() is [var add] && add.Is("Add")
            && graph.ConstantOf(add.Inputs[0] == node.Outputs[0] ? add.Inputs[1] : add.Inputs[0]) is { } bias)
            return new OnnxLinear(node.Inputs[0], add.Outputs[0], Models(weights, bias));
        return new OnnxLinear(node.Inputs[0], node.Outputs[0], Models(weights, null));
    }

    /// <returns>Per target, its coefficients.</returns>
    private static double[][] Weights(OnnxGraph graph, string tensor, bool isTransposed)
    {
        if (graph.ConstantOf(tensor) is not { Type: OnnxType.Float, Dimensions: [var rows, var columns], Singles: var singles }
            || rows * columns != singles.Count || singles.Count == 0)
            throw new NotSupportedException($"Tensor '{tensor}' is no constant matrix of float32.");
        var (features, targets) = isTransposed ? ((int)columns, (int)rows) : ((int)rows, (int)columns);
        return [.. Enumerable.Range(0, targets).Select(target => Enumerable.Range(0, features)
            .Select(feature => (double)singles[isTransposed ? (target * features) + feature : (feature * targets) + target]).ToArray())];
    }

    private static LinearModel[] Models(double[][] weights, OnnxTensor? bias)
    {
        var addends = bias?.Singles ?? [0];
        // One for all, or one per target along the last dimension.
        if (bias is not null && (bias.Type != OnnxType.Float || addends.Count != bias.Dimensions.LastOrDefault(1)
            || (addends.Count != 1 && addends.Count != weights.Length)))
            throw new NotSupportedException("An addend that is not one number per target.");
        return [.. weights.Select((coefficients, target) =>
            new LinearModel(coefficients, addends[addends.Count == 1 ? 0 : target]))];
    }
}
