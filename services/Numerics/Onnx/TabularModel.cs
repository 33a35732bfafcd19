using MlOps.Numerics.Linear;
using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Onnx;

/// <summary>Writes a whole tabular pipeline as one ONNX graph, from raw columns to the prediction.</summary>
public static class TabularModel
{
    /// <summary>Name of the one output, float32 [N, 1].</summary>
    public const string OutputName = "prediction";

    /// <summary>
    /// The same pipeline gives the same bytes. Inputs bear the raw names; with one intra-op thread ONNX Runtime gives
    /// <see cref="TabularEncoder"/> and <see cref="TreeEnsemble"/> to the bit, at every batch size.
    /// </summary>
    /// <exception cref="ArgumentException">
    /// The inputs are unsound (see <see cref="TabularEncoder"/>), one is named as the output, or the model's width is
    /// another.
    /// </exception>
    /// <exception cref="NotSupportedException">The model is neither trees nor linear.</exception>
    public static byte[] Export(TabularPipeline pipeline)
    {
        var encoder = new TabularEncoder(pipeline.Inputs);
        if (encoder.Width != pipeline.Model.FeatureCount)
            throw new ArgumentException(
                $"The inputs make {encoder.Width} features, the model takes {pipeline.Model.FeatureCount}.",
                nameof(pipeline));
        if (pipeline.Inputs.Any(input => input.Name == OutputName))
            throw new ArgumentException($"'{OutputName}' is the output's name.", nameof(pipeline));

        var graph = new GraphBuilder("tabular");
        var features = AddEncoding(graph, pipeline.Inputs);
        var attributes = pipeline.Model switch
        {
            TreeEnsemble trees => ("TreeEnsembleRegressor", TreeAttributes.Of(trees)),
            LinearModel linear => ("LinearRegressor", new OnnxAttributes()
                .Singles("coefficients", linear.Coefficients.Select(coefficient => (float)coefficient))
                .Singles("intercepts", [(float)linear.Intercept])
                .Integer("targets", 1)
                .Text("post_transform", "NONE")),
            var other => throw new NotSupportedException($"A {other.GetType().Name} cannot be written as ONNX."),
        };
        graph.Node(attributes.Item1, [features], OutputName, GraphBuilder.MachineLearning, attributes.Item2);
        graph.Output(OutputName, OnnxType.Float, 1);
        foreach (var (key, value) in pipeline.Metadata)
            graph.Metadata(key, value);
        return graph.Build();
    }

    /// <summary>
    /// All columns side by side, then one Imputer and one Scaler over the whole width where any column asks for them:
    /// one-hot and plain columns pass both unchanged ((x − 0)·1, NaN for NaN), and fewer nodes run faster.
    /// </summary>
    private static string AddEncoding(GraphBuilder graph, IReadOnlyList<TabularInput> inputs)
    {
        // Tensors inside the graph start with '/', so that no feature's name can be one of theirs by accident.
        graph.Node("Concat", inputs.Select(input => AddInput(graph, input)).ToArray(), "/raw",
            attributes: new OnnxAttributes().Integer("axis", 1));
        var columns = inputs.SelectMany(input => input is CategoricalInput categorical
            ? Enumerable.Repeat(new NumericInput(input.Name), categorical.Categories.Length)
            : [(NumericInput)input]).ToArray();

        var features = "/raw";
        if (columns.Any(column => column.Impute is not null))
        {
            graph.Node("Imputer", [features], "/imputed", GraphBuilder.MachineLearning, new OnnxAttributes()
                .Singles("imputed_value_floats", columns.Select(column => column.Impute ?? float.NaN))
                .Single("replaced_value_float", float.NaN));
            features = "/imputed";
        }

        if (columns.Any(column => column is not { Offset: 0, Scale: 1 }))
        {
            graph.Node("Scaler", [features], "/scaled", GraphBuilder.MachineLearning, new OnnxAttributes()
                .Singles("offset", columns.Select(column => column.Offset))
                .Singles("scale", columns.Select(column => column.Scale)));
            features = "/scaled";
        }

        return features;
    }

    private static string AddInput(GraphBuilder graph, TabularInput input)
    {
        if (input is not CategoricalInput categorical)
        {
            graph.Input(input.Name, OnnxType.Float, 1);
            return input.Name;
        }

        // OneHotEncoder gives [N, 1, C].
        var (hot, shape, flat) = ($"/{input.Name}/hot", $"/{input.Name}/shape", $"/{input.Name}/flat");
        graph.Input(input.Name, OnnxType.Text, 1)
            .Constant(shape, -1, categorical.Categories.Length)
            .Node("OneHotEncoder", [input.Name], hot, GraphBuilder.MachineLearning, new OnnxAttributes()
                .Texts("cats_strings", categorical.Categories)
                .Integer("zeros", 1))
            .Node("Reshape", [hot, shape], flat);
        return flat;
    }
}
