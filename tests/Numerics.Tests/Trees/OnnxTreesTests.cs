using MlOps.Numerics.Linear;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Tests.Trees;

public class OnnxTreesTests
{
    [Fact]
    public void What_the_exporter_writes_comes_back_and_predicts_to_the_bit()
    {
        var (ensemble, rows, expected) = XgboostReference.Load();
        TabularInput[] inputs = [.. Enumerable.Range(0, 5).Select(i => new NumericInput($"f{i}"))];

        var read = OnnxTrees.Read(new OnnxGraph(TabularModel.Export(new TabularPipeline(inputs, ensemble))), 5);

        Assert.NotNull(read);
        Assert.Equal(("/raw", "prediction"), (read.Input, read.Output));
        var actual = new float[expected.Length];
        new TreeEvaluator(read.Targets.Single()).Predict(rows, actual);
        Assert.Equal(ensemble.Trees.Select(tree => tree.Cover[0]), read.Targets[0].Trees.Select(tree => tree.Cover[0]));
        Assert.Equal(expected.Select(BitConverter.SingleToInt32Bits), actual.Select(BitConverter.SingleToInt32Bits));
    }

    [Fact]
    public void Foreign_ways_of_saying_it_are_understood()
    {
        // Children before the root, ids from 10, ≤, no missing_value_tracks_true, a base value.
        var trees = Read(Attributes())!; // There is a node.
        var scorer = new TreeScorer(trees, 3);
        float[] rows = [0, 0, 1.5f, 0, 0, MathF.BitIncrement(1.5f), 0, 0, float.NaN, 0, 0, float.NegativeInfinity];
        var scores = new float[4];

        scorer.Score(rows, scores, []);

        Assert.Equal(3, trees.Targets.Single().FeatureCount);
        Assert.Equal([101f, 102, 102, 101], scores);
    }

    [Fact]
    public void A_graph_without_trees_has_none() =>
        Assert.Null(OnnxTrees.Read(new OnnxGraph(TabularModel.Export(
            new TabularPipeline([new NumericInput("x")], new LinearModel([1], 0))))));

    [Theory]
    [InlineData("aggregate_function", "MAX")]
    [InlineData("post_transform", "PROBIT")]
    [InlineData("nodes_values_as_tensor", "")]
    public void What_is_no_sum_is_refused_by_name(string attribute, string value)
    {
        var refusal = Assert.Throws<NotSupportedException>(() => Read(Attributes().Text(attribute, value)));

        Assert.Contains($"'{attribute}'", refusal.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void Other_questions_and_targets_are_refused()
    {
        Assert.Throws<NotSupportedException>(() => Read(Attributes(mode: "BRANCH_EQ")));
        Assert.Throws<NotSupportedException>(() => Read(Attributes().Integer("n_targets", 2_000)));
        Assert.Throws<NotSupportedException>(() => Read(Attributes().Singles("base_values", [1, 2])));
        Assert.Throws<NotSupportedException>(() => Read(Attributes().Integers("target_ids", [0, 1])));
    }

    [Fact]
    public void Broken_models_are_refused()
    {
        Assert.Throws<InvalidDataException>(() => Read(Attributes().Integers("nodes_falsenodeids", [0, 0, 10])));
        Assert.Throws<InvalidDataException>(() => Read(Attributes().Integers("nodes_falsenodeids", [0, 0, 99])));
        Assert.Throws<InvalidDataException>(() => Read(Attributes().Integers("nodes_treeids", [0, 0])));
        Assert.Throws<InvalidDataException>(() => Read(Attributes().Integers("nodes_featureids", [0, 0, -1])));

        var model = Model(Attributes());
        for (var length = 1; length < model.Length; length++)
        {
            try
            {
                _ = OnnxTrees.Read(new OnnxGraph(model.AsMemory(0, length)));
            }
            catch (InvalidDataException)
            {
                // Cut inside a field; between two, the graph is whole or not there yet.
            }
        }
    }

    private static OnnxAttributes Attributes(string mode = "BRANCH_LEQ") => new OnnxAttributes()
        .Integers("nodes_treeids", [0, 0, 0])
        .Integers("nodes_nodeids", [11, 12, 10])
        .Integers("nodes_featureids", [0, 0, 2])
        .Texts("nodes_modes", ["LEAF", "LEAF", mode])
        .Singles("nodes_values", [0, 0, 1.5f])
        .Integers("nodes_truenodeids", [0, 0, 11])
        .Integers("nodes_falsenodeids", [0, 0, 12])
        .Integers("target_treeids", [0, 0])
        .Integers("target_nodeids", [11, 12])
        .Integers("target_ids", [0, 0])
        .Singles("target_weights", [1, 2])
        .Singles("base_values", [100])
        .Integer("n_targets", 1);

    private static byte[] Model(OnnxAttributes attributes) => new GraphBuilder("trees")
        .Input("x", OnnxType.Float, 3)
        .Node("TreeEnsembleRegressor", ["x"], "y", GraphBuilder.MachineLearning, attributes)
        .Output("y", OnnxType.Float, 1)
        .Build();

    private static OnnxTrees? Read(OnnxAttributes attributes) => OnnxTrees.Read(new OnnxGraph(Model(attributes)));
}
