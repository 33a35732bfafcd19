using MlOps.Inference.Predictions;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Trees;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Models.Backends;

/// <summary>
/// Compares scores and labels with ONNX Runtime's on encoded rows, where every threshold can be met exactly whatever the
/// front does to raw values.
/// </summary>
internal static class CompareScores
{
    private const int MostRows = 8192;
    private const int LeastRows = 64;
    private const long MostTreeVisits = 8_000_000;
    private static readonly float[] Extremes = [float.NaN, 0, -0f, float.MaxValue, float.MinValue, float.PositiveInfinity, float.NegativeInfinity];

    /// <returns>Rows compared, and the largest relative difference of a score; infinite where a label differs.</returns>
    public static (int Rows, double Difference) Differences(OnnxTrees trees, GraphParts parts, TreeScorer scorer, OnnxSettings settings)
    {
        var layout = new TensorLayout(trees.Input, Datatype.Named("FP32")!, [-1, scorer.Features], isNullable: true); // A datatype there is.
        var hasLabels = trees.LabelOutput.Length > 0;
        var content = parts.Graph!.Extract( // Trees come from a graph.
            [OnnxValue.Of(trees.Input, OnnxType.Float, -1, scorer.Features)], hasLabels ? [trees.Output, trees.LabelOutput] : [trees.Output]);
        using var onnx = new OnnxPart("probe", content, settings, [layout]);
        var design = Design(trees, scorer.Features);
        var rows = design.Length / scorer.Features;
        var slot = new InputSlot(layout);
        var violations = new Violations();
        slot.TryBegin(violations);
        slot.TryShape("FP32", [rows, scorer.Features], violations);
        foreach (var value in design) slot.Append(value);

        var (scores, labels) = (new float[rows * scorer.Columns], new int[hasLabels ? rows : 0]);
        scorer.Score(design, scores, labels);
        using var results = onnx.Run([slot], []);
        var expected = results[0].GetTensorDataAsSpan<float>();
        if (expected.Length != scores.Length) return (rows, double.PositiveInfinity);
        var largest = 0.0;
        for (var i = 0; i < scores.Length; i++) largest = Math.Max(largest, CompareBackends.Difference(scores[i], expected[i]));
        for (var row = 0; row < labels.Length; row++)
        {
            var isSame = trees.TextLabels.Count > 0
                ? results[1].GetStringElement(row) == trees.TextLabels[labels[row]]
                : results[1].GetTensorDataAsSpan<long>()[row] == trees.NumberLabels[labels[row]];
            if (!isSame) return (rows, double.PositiveInfinity);
        }

        return (rows, largest);
    }

    private static float[] Design(OnnxTrees trees, int features)
    {
        var random = new Random(1);
        var thresholds = ProbeRows.ThresholdsOf(trees);
        var columns = Enumerable.Range(0, features).Select(feature =>
        {
            float[] values = [.. Extremes, .. thresholds[feature].SelectMany(ProbeRows.Around)];
            random.Shuffle(values);
            return values;
        }).ToArray();
        var visits = Math.Max(1, trees.Targets.Sum(target => (long)target.Trees.Count));
        var rows = (int)Math.Clamp(columns.Max(column => column.Length), LeastRows, Math.Clamp(MostTreeVisits / visits, LeastRows, MostRows));
        var design = new float[rows * features];
        for (var i = 0; i < design.Length; i++)
        {
            var (row, column) = (i / features, columns[i % features]);
            design[i] = row < column.Length ? column[row] : column[random.Next(column.Length)];
        }

        return design;
    }
}
