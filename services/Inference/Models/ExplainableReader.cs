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
    public static Explainable Read(GraphParts parts)
    {
        var (inputs, outputs) = (parts.Inputs, parts.Outputs);
        var graph = parts.Graph ?? throw new InvalidDataException(parts.WhyNoTrees);
        var model = ReadModel(graph, parts);
        var features = OnnxEncoding.Read(graph, model.Input);
        if (model.Scores.Any(score => score.FeatureCount > features.Count))
        {
            throw new NotSupportedException($"The model takes more than the {features.Count} features it is given.");
        }

        var after = OnnxLink.Read(graph, model.Sums) ?? throw new NotSupportedException("The graph makes something else of the model's sums than a link.");
        if (model.Link != ScoreLink.Identity && after.Link != ScoreLink.Identity) throw new NotSupportedException("The graph has two links.");
        var output = Array.FindIndex(outputs, layout => layout.Name == after.Output);
        return output < 0
            ? throw new NotSupportedException($"Output '{after.Output}' is not in the signature.")
            : new Explainable(
                new RowEncoder(features, inputs),
                [.. model.Scores.Select((score, place) => new ExplainableScore(Widened(score, features.Count), output, model.FirstColumn + place))],
                model.Link == ScoreLink.Identity ? after.Link : model.Link);
    }

    private static Model ReadModel(OnnxGraph graph, GraphParts parts)
    {
        if (parts.Trees is { } trees) return OfTrees(trees);
        if (OnnxLinear.Read(graph) is { } linear) return new Model(linear.Input, linear.Output, linear.Targets, ScoreLink.Identity, 0);
        throw new NotSupportedException($"The graph has neither one node of trees nor one linear one: {parts.WhyNoTrees}.");
    }

    private static Model OfTrees(OnnxTrees trees) => new(
        trees.Input, trees.Output,
        [.. trees.Targets.Select((target, place) => Scaled(target, trees, place))],
        trees.Transform switch
        {
            TreeTransform.Logistic => ScoreLink.Logistic,
            // Of one sum for two classes ONNX Runtime makes no more than it and what is left, or its negative.
            TreeTransform.Softmax when !trees.IsMargin => ScoreLink.Softmax,
            _ => ScoreLink.Identity,
        },
        trees.IsMargin ? 1 : 0);

    private static TreeEnsemble Scaled(TreeEnsemble target, OnnxTrees trees, int place) => target with
    {
        BaseScore = trees.BaseValues.Count == 0 ? 0 : trees.BaseValues[place],
        Trees = trees.Divisor == 1
            ? target.Trees
            : [.. target.Trees.Select(tree => tree with { LeafValue = [.. tree.LeafValue.Select(value => value / trees.Divisor)] })],
    };

    // Trees are read as wide as the last feature they ask for.
    private static IPredictor Widened(IPredictor model, int width) =>
        model is TreeEnsemble trees ? trees with { FeatureCount = width } : model;

    /// <param name="Input">Tensor of the encoded rows.</param>
    /// <param name="Sums">Tensor the scores stand in.</param>
    /// <param name="Scores">In order.</param>
    /// <param name="Link">Within the model.</param>
    /// <param name="FirstColumn">Column of the first score.</param>
    private sealed record Model(string Input, string Sums, IReadOnlyList<IPredictor> Scores, ScoreLink Link, int FirstColumn);
}
