using MlOps.Numerics.Linear;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Tests.Trees;
using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Tests.Onnx;

public class TabularModelTests
{
    [Fact]
    public void The_graph_leads_from_raw_columns_to_the_prediction()
    {
        var model = new Protobuf(TabularModel.Export(Trees() with
        {
            Metadata = new Dictionary<string, string> { ["run"] = "7", ["digest"] = "sha256:…" },
        }));

        Assert.Equal(8, model.Integer(1));
        Assert.Equal(
            [("", 17L), ("ai.onnx.ml", 3L)], model.Messages(8).Select(opset => (opset.Text(1), opset.Integer(2))));
        Assert.Equal(
            [("digest", "sha256:…"), ("run", "7")], model.Messages(14).Select(line => (line.Text(1), line.Text(2))));
        var graph = model.Message(7);
        Assert.Equal([("a", 1L), ("kind", 8L), ("b", 1L)], graph.Messages(11).Select(NameAndType));
        Assert.Equal([("prediction", 1L)], graph.Messages(12).Select(NameAndType));
        Assert.Equal(
            ["OneHotEncoder", "Reshape", "Concat", "Imputer", "Scaler", "TreeEnsembleRegressor"],
            graph.Messages(1).Select(node => node.Text(4)));
        Assert.Equal(["a", "/kind/flat", "b"], graph.Messages(1)[2].Texts(1));
        Assert.Equal(["prediction"], graph.Messages(1)[^1].Texts(2));

        static (string, long) NameAndType(Protobuf value) => (value.Text(1), value.Message(2).Message(1).Integer(1));
    }

    [Fact]
    public void Every_node_is_fed_by_what_came_before_it()
    {
        var graph = new Protobuf(TabularModel.Export(Trees())).Message(7);
        var known = graph.Messages(11).Select(input => input.Text(1))
            .Concat(graph.Messages(5).Select(constant => constant.Text(8))).ToHashSet();

        foreach (var node in graph.Messages(1))
        {
            Assert.Subset(known, node.Texts(1).ToHashSet());
            Assert.All(node.Texts(2), output => Assert.True(known.Add(output)));
        }

        Assert.Contains("prediction", known);
    }

    [Fact]
    public void Walking_the_written_trees_gives_the_ensembles_predictions_to_the_bit()
    {
        var (ensemble, rows, expected) = XgboostReference.Load();
        var written = new WrittenTrees(new Protobuf(TabularModel.Export(Plain(ensemble))));

        for (var i = 0; i < expected.Length; i++)
            Assert.Equal(
                BitConverter.SingleToInt32Bits(expected[i]),
                BitConverter.SingleToInt32Bits(written.Predict(rows.AsSpan(5 * i, 5))));
    }

    [Fact]
    public void The_same_pipeline_gives_the_same_bytes() =>
        Assert.Equal(TabularModel.Export(Trees()), TabularModel.Export(Trees()));

    [Fact]
    public void Plain_numeric_inputs_need_neither_imputer_nor_scaler()
    {
        var graph = new Protobuf(TabularModel.Export(Plain(XgboostReference.Load().Ensemble))).Message(7);

        Assert.Equal(["Concat", "TreeEnsembleRegressor"], graph.Messages(1).Select(node => node.Text(4)));
    }

    [Fact]
    public void A_linear_model_is_written_with_its_coefficients()
    {
        var pipeline = new TabularPipeline(
            [new NumericInput("x"), new NumericInput("y")], new LinearModel([2, -0.5], 3));

        var node = new Protobuf(TabularModel.Export(pipeline)).Message(7).Messages(1)[^1];

        Assert.Equal("LinearRegressor", node.Text(4));
        var attributes = node.Messages(5).ToDictionary(attribute => attribute.Text(1));
        Assert.Equal([2f, -0.5f], attributes["coefficients"].Singles(7));
        Assert.Equal([3f], attributes["intercepts"].Singles(7));
    }

    [Fact]
    public void An_ensemble_without_trees_predicts_its_base_score()
    {
        var pipeline = new TabularPipeline([new NumericInput("x")], new TreeEnsemble([], 4.25f, 1));

        Assert.Equal(4.25f, new WrittenTrees(new Protobuf(TabularModel.Export(pipeline))).Predict([1]));
    }

    [Fact]
    public void A_model_of_another_width_is_refused() => Assert.Throws<ArgumentException>(() =>
        TabularModel.Export(new TabularPipeline([new NumericInput("x")], new LinearModel([1, 2], 0))));

    [Fact]
    public void An_input_named_as_the_output_is_refused() => Assert.Throws<ArgumentException>(() =>
        TabularModel.Export(new TabularPipeline([new NumericInput("prediction")], new LinearModel([1], 0))));

    private static TabularPipeline Trees() => new(
        [
            new NumericInput("a", 0.5f),
            new CategoricalInput("kind", ["x", "y", "z"]),
            new NumericInput("b", null, 2, 0.25f),
        ],
        XgboostReference.Load().Ensemble);

    private static TabularPipeline Plain(TreeEnsemble ensemble) =>
        new([.. Enumerable.Range(0, ensemble.FeatureCount).Select(i => new NumericInput($"f{i}"))], ensemble);

    /// <summary>Evaluates a TreeEnsembleRegressor from its attributes alone, as its specification says.</summary>
    private sealed class WrittenTrees
    {
        private readonly Dictionary<(long Tree, long Node), Node> _nodes;

        public WrittenTrees(Protobuf model)
        {
            var attributes = model.Message(7).Messages(1)[^1].Messages(5).ToDictionary(attribute => attribute.Text(1));
            long[] Integers(string name) => attributes[name].Integers(8);
            var leaves = Integers("target_treeids").Zip(Integers("target_nodeids"))
                .Zip(attributes["target_weights"].Singles(7))
                .ToDictionary(pair => pair.First, pair => pair.Second);
            var keys = Integers("nodes_treeids").Zip(Integers("nodes_nodeids")).ToArray();
            var modes = attributes["nodes_modes"].Texts(9);
            var (features, values) = (Integers("nodes_featureids"), attributes["nodes_values"].Singles(7));
            var (whenTrue, whenFalse) = (Integers("nodes_truenodeids"), Integers("nodes_falsenodeids"));
            var missing = Integers("nodes_missing_value_tracks_true");
            _nodes = Enumerable.Range(0, keys.Length).ToDictionary(i => keys[i], i => new Node(
                modes[i], features[i], values[i], whenTrue[i], whenFalse[i], missing[i] == 1,
                leaves.GetValueOrDefault(keys[i])));
        }

        public float Predict(ReadOnlySpan<float> row)
        {
            var sum = 0f;
            foreach (var tree in _nodes.Keys.Select(key => key.Tree).Distinct().Order())
            {
                var node = _nodes[(tree, 0)];
                while (node.Mode == "BRANCH_LT")
                {
                    var value = row[(int)node.Feature];
                    var isTrue = float.IsNaN(value) ? node.MissingIsTrue : value < node.Value;
                    node = _nodes[(tree, isTrue ? node.WhenTrue : node.WhenFalse)];
                }

                sum += node.Weight;
            }

            return sum;
        }

        private sealed record Node(
            string Mode, long Feature, float Value, long WhenTrue, long WhenFalse, bool MissingIsTrue, float Weight);
    }
}
