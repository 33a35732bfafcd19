namespace MlOps.Numerics.Onnx;

/// <summary>The way from a model's sums to an output of the graph.</summary>
/// <param name="Output">Name of the output.</param>
/// <param name="Link">What happens on the way.</param>
/// <param name="IsStepwise">Logistic as Neg, Exp, Add of 1 and Reciprocal.</param>
public sealed record OnnxLink(string Output, ScoreLink Link, bool IsStepwise)
{
    private const int MostSteps = 16;

    /// <returns>Null when something else is done with the sums, or they are no output at all.</returns>
    public static OnnxLink? Read(OnnxGraph graph, string sums)
    {
        List<string> steps = [];
        for (var tensor = sums; steps.Count <= MostSteps;)
        {
            if (graph.Outputs.Any(output => output.Name == tensor))
                return LinkOf(steps) is { } link ? new OnnxLink(tensor, link, steps.Count > 1) : null;
            if (graph.TakersOf(tensor).ToArray() is not [var node] || node.Outputs is not [var next])
                return null;
            if (!IsNeutral(graph, node))
                steps.Add(Name(graph, node, tensor));
            tensor = next;
        }

        return null;
    }

    // N × 1 stays N × 1 through a Reshape to that.
    private static bool IsNeutral(OnnxGraph graph, OnnxNode node) => node.Is("Identity")
        || (node.Is("Cast") && node.Integer("to") == (long)OnnxType.Float)
        || (node.Is("Reshape") && graph.ConstantOf(node.Inputs[1])?.Integers is [-1, 1]);

    private static string Name(OnnxGraph graph, OnnxNode node, string tensor)
    {
        if (!node.Is("Add"))
            return node.Domain is "" or "ai.onnx" ? node.Operation : "";
        var addend = node.Inputs[0] == tensor ? node.Inputs[1] : node.Inputs[0];
        return graph.ConstantOf(addend)?.Singles is [1] ? "Add 1" : "";
    }

    private static ScoreLink? LinkOf(List<string> steps) => steps switch
    {
        [] => ScoreLink.Identity,
        ["Sigmoid"] or ["Neg", "Exp", "Add 1", "Reciprocal"] => ScoreLink.Logistic,
        ["Exp"] => ScoreLink.Exponential,
        _ => null,
    };
}
