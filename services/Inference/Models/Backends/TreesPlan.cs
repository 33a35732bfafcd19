using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Trees;

namespace MlOps.Inference.Models.Backends;

/// <summary>How a graph is divided: a front that makes rows of features, the trees, and what follows from their scores.</summary>
internal sealed class TreesPlan
{
    private TreesPlan(TreeScorer scorer, OnnxTrees trees)
    {
        Scorer = scorer;
        Labels = new TreeLabels(trees);
    }

    public TreeScorer Scorer { get; }

    public TreeLabels Labels { get; }

    /// <summary>Makes the rows; null: <see cref="Front"/> does.</summary>
    public RowEncoder? Encoder { get; private init; }

    public OnnxPart? Front { get; private init; }

    /// <summary>The output that follows from the scores; null: none does without <see cref="Rest"/>.</summary>
    public ScoredOutput? Scores { get; private init; }

    /// <summary>Place of the output that is the labels; −1: none.</summary>
    public int LabelOutput { get; private init; }

    /// <summary>Makes <see cref="RestOutputs"/> of the inputs, the scores and, when it needs them, the labels; null: there are none.</summary>
    public OnnxPart? Rest { get; private init; }

    public IReadOnlyList<int> RestOutputs { get; private init; } = [];

    public bool NeedsLabels { get; private init; }

    /// <exception cref="NotSupportedException">The graph cannot be divided; says why.</exception>
    /// <exception cref="InvalidDataException">The graph is broken.</exception>
    public static TreesPlan Make(string model, OnnxGraph graph, OnnxTrees trees, OnnxSettings settings, TensorLayout[] inputs, TensorLayout[] outputs)
    {
        var encoder = EncoderOf(graph, trees, inputs);
        var front = encoder is null ? FrontOf(model, graph, trees, settings, inputs) : null;
        OnnxPart? rest = null;
        try
        {
            // The session says the shape the front answers.
            var width = encoder?.Width ?? (int)front!.Outputs[trees.Input].Dimensions[1];
            if (trees.Targets.Any(target => target.FeatureCount > width))
            {
                throw new NotSupportedException($"The trees ask for more than the {width} features they are given.");
            }

            var scored = ScoredOf(graph, trees, outputs);
            var label = trees.LabelOutput.Length == 0 ? -1 : Array.FindIndex(outputs, output => output.Name == trees.LabelOutput);
            int[] others = [.. Enumerable.Range(0, outputs.Length).Where(place => place != scored?.Output && place != label)];
            var restNeedsLabels = false;
            if (others.Length > 0) rest = RestOf(model, graph, trees, settings, inputs, [.. others.Select(place => outputs[place].Name)], out restNeedsLabels);
            return new TreesPlan(new TreeScorer(trees, width), trees)
            {
                Encoder = encoder,
                Front = front,
                Scores = scored,
                LabelOutput = label,
                Rest = rest,
                RestOutputs = others,
                NeedsLabels = label >= 0 || restNeedsLabels,
            };
        }
        catch
        {
            front?.Dispose();
            rest?.Dispose();
            throw;
        }
    }

    private static RowEncoder? EncoderOf(OnnxGraph graph, OnnxTrees trees, TensorLayout[] inputs)
    {
        try
        {
            return new RowEncoder(OnnxEncoding.Read(graph, trees.Input), inputs);
        }
        catch (NotSupportedException) when (graph.MakerOf(trees.Input) is not null)
        {
            return null;
        }
    }

    private static OnnxPart FrontOf(string model, OnnxGraph graph, OnnxTrees trees, OnnxSettings settings, TensorLayout[] inputs)
    {
        var front = new OnnxPart(model, graph.Extract([], [trees.Input]), settings, inputs);
        var made = front.Outputs[trees.Input];
        if (made.ElementDataType == TensorElementType.Float && made.Dimensions is [_, > 0]) return front;
        front.Dispose();
        throw new NotSupportedException($"Tensor '{trees.Input}' is not known to be rows of float32 of one width.");
    }

    private static ScoredOutput? ScoredOf(OnnxGraph graph, OnnxTrees trees, TensorLayout[] outputs)
    {
        // ONNX Runtime's Sigmoid is nearly 3 % off at 1e-6; whoever has it gets it, in its own words.
        var link = OnnxLink.Read(graph, trees.Output);
        var name = link is { Link: ScoreLink.Logistic, IsStepwise: false } || (trees.Columns > 1 && link?.Output != trees.Output) ? null : link?.Output;
        var place = Array.FindIndex(outputs, output => output.Name == name);
        return place < 0 ? null : new ScoredOutput(place, link!.Link); // It has a name.
    }

    private static OnnxPart RestOf(
        string model, OnnxGraph graph, OnnxTrees trees, OnnxSettings settings, TensorLayout[] inputs, string[] names, out bool needsLabels)
    {
        var scores = OnnxValue.Of(trees.Output, OnnxType.Float, -1, trees.Columns);
        var labels = OnnxValue.Of(trees.LabelOutput, trees.TextLabels.Count > 0 ? OnnxType.Text : OnnxType.Int64, -1);
        var rest = new OnnxPart(
            model, graph.Extract(trees.LabelOutput.Length > 0 ? [scores, labels] : [scores], names), settings, inputs, trees.Output, trees.LabelOutput);
        needsLabels = trees.LabelOutput.Length > 0 && rest.Takes(trees.LabelOutput);
        return rest;
    }
}

/// <summary>An output that follows from the scores alone.</summary>
/// <param name="Output">Its place.</param>
/// <param name="Link">How.</param>
internal sealed record ScoredOutput(int Output, ScoreLink Link);
