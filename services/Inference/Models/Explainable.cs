using MlOps.Inference.Models.Backends;
using MlOps.Inference.Predictions;
using MlOps.Numerics;
using MlOps.Numerics.Linear;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Trees;

namespace MlOps.Inference.Models;

/// <summary>
/// A model taken apart as far as an exact explanation needs it: encoded rows of the inputs, sums of trees or of
/// coefficients over them, and what makes the answer of the sums. Safe to use from many threads at once.
/// </summary>
internal sealed class Explainable(RowEncoder encoder, IReadOnlyList<ExplainableScore> scores, ScoreLink link)
{
    /// <summary>Places of an encoded row: <see cref="IPredictor.FeatureCount"/> of every score.</summary>
    public int Width => encoder.Width;

    /// <summary>Per place of an encoded row, the raw value it comes from: contributions add up over it.</summary>
    public IReadOnlyList<EncodedOrigin> Origins => encoder.Origins;

    /// <summary>Per place of an encoded row, like <c>distance</c>, <c>x[3]</c> and <c>origin=ATL</c>.</summary>
    public IReadOnlyList<string> Names => encoder.Names;

    /// <summary>What is explained; at least one.</summary>
    public IReadOnlyList<ExplainableScore> Scores => scores;

    /// <summary>What makes the answer of the scores: link(score), for Softmax over all scores.</summary>
    public ScoreLink Link => link;

    /// <summary>
    /// Whether every inner node of every tree says how many training rows passed it, which path-dependent TreeSHAP
    /// needs; true of a linear model.
    /// </summary>
    public bool HasCover { get; } = scores.All(score => score.Model is not TreeEnsemble trees || trees.Trees.All(HasCoverThroughout));

    /// <summary>Rows of the request by the first encoded input.</summary>
    public int RowsOf(ReadOnlySpan<InputSlot> inputs) => encoder.RowsOf(inputs);

    /// <summary>Encodes <paramref name="rows"/> rows from <paramref name="first"/> on.</summary>
    /// <param name="inputs">Checked, in the model's order.</param>
    /// <param name="first">Row of the request.</param>
    /// <param name="rows">How many.</param>
    /// <param name="design">rows × <see cref="Width"/>, row-major; filled. NaN is a missing value.</param>
    public void Encode(ReadOnlySpan<InputSlot> inputs, int first, int rows, Span<float> design) =>
        encoder.Encode(inputs, first, rows, design);

    private static bool HasCoverThroughout(Tree tree)
    {
        for (var node = 0; node < tree.Size; node++)
        {
            if (tree.Left[node] >= 0 && !(tree.Cover[node] > 0)) return false;
        }

        return true;
    }
}

/// <summary>One sum of a model.</summary>
/// <param name="Model">A <see cref="TreeEnsemble"/> or a <see cref="LinearModel"/>.</param>
/// <param name="Output">Place of the output among the model's whose value follows from the score by the link.</param>
/// <param name="Column">Column of that output.</param>
internal sealed record ExplainableScore(IPredictor Model, int Output, int Column);
