using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Tests.Trees;

/// <summary>Regressors and classifiers of every kind beside the real ONNX Runtime, one intra-op thread.</summary>
public class TreeScorerTests
{
    private const int Features = 6;
    private const int Rows = 500;

    public static TheoryData<string, int, bool, string, int> Kinds
    {
        get
        {
            // What the leaves are for, classes or targets, whether no leaf is below 0, post_transform, base values.
            var kinds = new TheoryData<string, int, bool, string, int>();
            foreach (var transform in new[] { "NONE", "LOGISTIC", "SOFTMAX" })
            {
                foreach (var bases in new[] { 0, 1 })
                {
                    kinds.Add("margin", 2, false, transform, bases);
                    kinds.Add("margin", 2, true, transform, bases);
                    kinds.Add("margin text", 2, false, transform, bases);
                    kinds.Add("regressor", 1, false, transform, bases);
                    kinds.Add("average", 1, false, transform, bases);
                    kinds.Add("regressor", 3, false, transform, bases * 3);
                    kinds.Add("average", 3, false, transform, bases * 3);
                    kinds.Add("classes", 4, false, transform, bases * 4);
                    kinds.Add("classes text", 3, false, transform, bases * 3);
                    kinds.Add("classes everywhere", 3, true, transform, bases * 3);
                }
            }

            return kinds;
        }
    }

    [Theory]
    [MemberData(nameof(Kinds))]
    public void Scores_and_labels_are_those_of_ONNX_Runtime(string kind, int columns, bool isPositive, string transform, int bases)
    {
        var model = Model(kind, columns, isPositive, transform, bases);
        var trees = OnnxTrees.Read(new OnnxGraph(model), Features)!; // There is a node.
        var scorer = new TreeScorer(trees, Features);
        var design = Design();
        var scores = new float[Rows * scorer.Columns];
        var labels = new int[trees.LabelOutput.Length > 0 ? Rows : 0];
        scorer.Score(design, scores, labels);

        using var options = new SessionOptions { IntraOpNumThreads = 1, InterOpNumThreads = 1 };
        using var session = new InferenceSession(model, options);
        foreach (var batch in new[] { 1, 7, Rows })
        {
            for (var from = 0; from < Rows && from < batch * 60; from += batch)
            {
                var count = Math.Min(batch, Rows - from);
                using var outputs = session.Run([NamedOnnxValue.CreateFromTensor(
                    "x", new DenseTensor<float>(design.AsMemory(from * Features, count * Features), [count, Features]))]);
                float[] expected = [.. outputs.Single(output => output.Name == "y").AsTensor<float>()];
                AssertEqual(expected, scores.AsSpan(from * scorer.Columns, count * scorer.Columns), transform == "NONE");
                if (trees.TextLabels.Count > 0)
                    Assert.Equal(outputs[0].AsTensor<string>(), labels.Skip(from).Take(count).Select(at => trees.TextLabels[at]));
                else if (trees.NumberLabels.Count > 0)
                    Assert.Equal(outputs[0].AsTensor<long>(), labels.Skip(from).Take(count).Select(at => trees.NumberLabels[at]));
            }
        }
    }

    [Fact]
    public void Single_rows_and_batches_are_the_same_to_the_bit()
    {
        var trees = OnnxTrees.Read(new OnnxGraph(Model("classes", 4, false, "SOFTMAX", 4)), Features)!; // There is a node.
        var scorer = new TreeScorer(trees, Features);
        var design = Design();
        var (whole, one, labels, label) = (new float[Rows * 4], new float[4], new int[Rows], new int[1]);
        scorer.Score(design, whole, labels);

        for (var row = 0; row < Rows; row++)
        {
            scorer.Score(design.AsSpan(row * Features, Features), one, label);
            Assert.Equal(whole[(row * 4)..((row + 1) * 4)].Select(BitConverter.SingleToInt32Bits), one.Select(BitConverter.SingleToInt32Bits));
            Assert.Equal(labels[row], label[0]);
        }
    }

    [Fact]
    public void Classes_some_rows_have_no_score_of_are_refused()
    {
        var refusal = Assert.Throws<NotSupportedException>(
            () => OnnxTrees.Read(new OnnxGraph(Model("some", 3, false, "NONE", 0)), Features));

        Assert.Contains("class_weights", refusal.Message, StringComparison.Ordinal);
    }

    private static void AssertEqual(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual, bool isExact)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
        {
            var most = isExact ? 0 : 1e-6 * Math.Abs(expected[i]);
            Assert.True(Math.Abs(expected[i] - actual[i]) <= most, $"{i}: {expected[i]:R} and {actual[i]:R}");
        }
    }

    private static float[] Design()
    {
        var random = new Random(4);
        return [.. Enumerable.Range(0, Rows * Features).Select(_ =>
            random.Next(9) == 0 ? float.NaN : (float)(4 * random.NextDouble() - 2))];
    }

    private static byte[] Model(string kind, int columns, bool isPositive, string transform, int bases)
    {
        var random = new Random(columns);
        var ensemble = TreeEvaluatorTests.Ensemble(random, trees: 24, depth: 4, Features, keep: 0.9);
        var nodes = ensemble.Trees
            .SelectMany((tree, id) => Enumerable.Range(0, tree.Size).Select(node => (Id: id, Tree: tree, Node: node))).ToArray();
        var leaves = nodes.Where(at => at.Tree.Left[at.Node] < 0).SelectMany(at => TargetsOf(kind, at.Id, at.Node, columns)
            .Select(target => (at.Id, at.Node, Target: target, Weight: WeightOf(at.Tree.LeafValue[at.Node] + (target * 0.01f), isPositive)))).ToArray();
        var isRegressor = kind is "regressor" or "average";
        var prefix = isRegressor ? "target_" : "class_";
        var attributes = new OnnxAttributes()
            .Integers("nodes_treeids", nodes.Select(at => (long)at.Id))
            .Integers("nodes_nodeids", nodes.Select(at => (long)at.Node))
            .Integers("nodes_featureids", nodes.Select(at => (long)at.Tree.Feature[at.Node]))
            .Texts("nodes_modes", nodes.Select(at => at.Tree.Left[at.Node] < 0 ? "LEAF" : at.Id % 2 == 0 ? "BRANCH_LT" : "BRANCH_LEQ"))
            .Singles("nodes_values", nodes.Select(at => float.IsFinite(at.Tree.Threshold[at.Node]) ? at.Tree.Threshold[at.Node] : 0))
            .Integers("nodes_truenodeids", nodes.Select(at => (long)Math.Max(0, at.Tree.Left[at.Node])))
            .Integers("nodes_falsenodeids", nodes.Select(at => (long)Math.Max(0, at.Tree.Right[at.Node])))
            .Integers("nodes_missing_value_tracks_true", nodes.Select(at => at.Tree.DefaultLeft[at.Node] ? 1L : 0))
            .Integers(prefix + "treeids", leaves.Select(leaf => (long)leaf.Id))
            .Integers(prefix + "nodeids", leaves.Select(leaf => (long)leaf.Node))
            .Integers(prefix + "ids", leaves.Select(leaf => (long)leaf.Target))
            .Singles(prefix + "weights", leaves.Select(leaf => leaf.Weight))
            .Text("post_transform", transform);
        if (bases > 0)
            attributes.Singles("base_values", Enumerable.Range(0, bases).Select(i => 0.3f - (0.2f * i)));
        if (kind == "average")
            attributes.Text("aggregate_function", "AVERAGE");
        if (isRegressor)
            attributes.Integer("n_targets", columns);
        else if (kind.EndsWith("text", StringComparison.Ordinal))
            attributes.Texts("classlabels_strings", Enumerable.Range(0, columns).Select(i => $"class-{i}"));
        else
            attributes.Integers("classlabels_int64s", Enumerable.Range(0, columns).Select(i => 10L - (3 * i)));
        var graph = new GraphBuilder("trees").Input("x", OnnxType.Float, Features);
        if (isRegressor)
            return graph.Node("TreeEnsembleRegressor", ["x"], "y", GraphBuilder.MachineLearning, attributes)
                .Output("y", OnnxType.Float, columns).Build();
        return graph.Node("TreeEnsembleClassifier", ["x"], ["label", "y"], GraphBuilder.MachineLearning, attributes)
            .Output("label", kind.EndsWith("text", StringComparison.Ordinal) ? OnnxType.Text : OnnxType.Int64)
            .Output("y", OnnxType.Float, columns).Build();
    }

    private static IEnumerable<int> TargetsOf(string kind, int tree, int node, int columns) => kind switch
    {
        "margin" or "margin text" => [0],
        "classes" or "classes text" => [tree % columns],
        "some" => [node % columns],
        _ => Enumerable.Range(0, columns),
    };

    private static float WeightOf(float value, bool isPositive) => isPositive ? Math.Abs(value) / 12 : value;
}
