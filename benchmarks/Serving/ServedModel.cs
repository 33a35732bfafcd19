using System.Globalization;
using System.Text.Json;
using System.Text.Json.Serialization;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Trees;

namespace MlOps.Benchmarks.Serving;

/// <summary>200 trees of depth 6 over 10 features, the same at every run, in the forms the servers under measurement read.</summary>
internal sealed class ServedModel
{
    public const string Name = "trees";
    public const string Input = "x";
    public const string Output = "y";
    public const int Features = 10;
    private const int Trees = 200;
    private const int Depth = 6;
    private const float BaseScore = 0.5f;
    private static readonly JsonSerializerOptions XgboostJson = new() { Converters = { new WithExponent() } };
    private readonly TreeEnsemble _ensemble;

    public ServedModel()
    {
        var random = new Random(1);
        _ensemble = new TreeEnsemble([.. Enumerable.Range(0, Trees).Select(_ => PerfectTree.Of(Depth, Features, random))], BaseScore, Features);
        Row = [.. Enumerable.Range(0, Features).Select(_ => random.NextSingle())];
        Prediction = Predict(Row)[0];
    }

    /// <summary>The row that is asked for one by one.</summary>
    public float[] Row { get; }

    /// <summary>What the scalar reference answers to it.</summary>
    public float Prediction { get; }

    public byte[] Onnx => new GraphBuilder(Name)
        .Input(Input, OnnxType.Float, Features)
        .Node("TreeEnsembleRegressor", [Input], Output, GraphBuilder.MachineLearning, TreeAttributes.Of(_ensemble))
        .Output(Output, OnnxType.Float, 1)
        .Build();

    /// <summary>As XGBoost 1.7 saves it.</summary>
    public byte[] Xgboost => JsonSerializer.SerializeToUtf8Bytes(new
    {
        learner = new
        {
            attributes = new { },
            feature_names = Array.Empty<string>(),
            feature_types = Array.Empty<string>(),
            gradient_booster = new
            {
                model = new
                {
                    gbtree_model_param = new { num_parallel_tree = "1", num_trees = $"{Trees}", size_leaf_vector = "0" },
                    tree_info = new int[Trees],
                    trees = _ensemble.Trees.Select(XgboostTree),
                },
                name = "gbtree",
            },
            learner_model_param = new { base_score = "5E-1", num_class = "0", num_feature = $"{Features}", num_target = "1" },
            objective = new { name = "reg:squarederror", reg_loss_param = new { scale_pos_weight = "1" } },
        },
        version = new[] { 1, 7, 4 },
    }, XgboostJson);

    public TreeEnsemble Ensemble => _ensemble;

    public float[] Predict(ReadOnlySpan<float> rows)
    {
        var predictions = new float[rows.Length / Features];
        _ensemble.Predict(rows, predictions);
        return predictions;
    }

    private static object XgboostTree(Tree tree, int id)
    {
        var nodes = tree.Left.Length;
        var parents = new int[nodes];
        Array.Fill(parents, int.MaxValue);
        for (var i = 0; i < nodes; i++)
        {
            if (tree.Left[i] < 0) continue;
            parents[tree.Left[i]] = parents[tree.Right[i]] = i;
        }

        return new
        {
            base_weights = tree.LeafValue,
            categories = Array.Empty<int>(),
            categories_nodes = Array.Empty<int>(),
            categories_segments = Array.Empty<int>(),
            categories_sizes = Array.Empty<int>(),
            default_left = tree.DefaultLeft.Select(left => left ? 1 : 0),
            id,
            left_children = tree.Left,
            loss_changes = tree.Gain,
            parents,
            right_children = tree.Right,
            split_conditions = tree.Left.Select((left, i) => left < 0 ? tree.LeafValue[i] : tree.Threshold[i]),
            split_indices = tree.Feature,
            split_type = new int[nodes],
            sum_hessian = tree.Cover,
            tree_param = new { num_deleted = "0", num_feature = $"{Features}", num_nodes = $"{nodes}", size_leaf_vector = "0" },
        };
    }

    /// <summary>XGBoost takes no whole number where it expects another.</summary>
    private sealed class WithExponent : JsonConverter<float>
    {
        public override float Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) => throw new NotSupportedException();

        public override void Write(Utf8JsonWriter writer, float value, JsonSerializerOptions options) =>
            writer.WriteRawValue(value.ToString("E8", CultureInfo.InvariantCulture));
    }
}
