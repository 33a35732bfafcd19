using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Numerics.Linear;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Tests.Trees;
using MlOps.Numerics.Trees;

namespace MlOps.Numerics.Tests.Onnx;

/// <summary>
/// The exported graph in the real ONNX Runtime, one intra-op thread, beside this library's own arithmetic.
/// </summary>
public class OnnxRuntimeTests
{
    private static readonly TabularInput[] Inputs =
    [
        new NumericInput("distance", Impute: 0.37f, Offset: 0.1f, Scale: 1.7f),
        new CategoricalInput("origin", ["ATL", "ORD", "são"]),
        new NumericInput("hour"),
    ];

    [Fact]
    public void The_natives_own_predictions_come_back_to_the_bit()
    {
        var (ensemble, rows, expected) = XgboostReference.Load();
        TabularInput[] inputs = [.. Enumerable.Range(0, 5).Select(i => new NumericInput($"f{i}"))];
        RawColumn[] columns = [.. inputs.Select((input, i) =>
            new NumericColumn(input.Name, [.. rows.Chunk(5).Select(row => row[i])]))];

        using var session = Open(new TabularPipeline(inputs, ensemble));

        AssertSameBits(expected, Run(session, columns, 0, expected.Length));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(7)]
    [InlineData(1_000)]
    public void Encoder_and_trees_equal_the_graph_to_the_bit_at_every_batch_size(int batch)
    {
        // More trees than ONNX Runtime's own thresholds for other ways of summing them.
        var ensemble = RandomEnsemble(300);
        var columns = RandomColumns(1_000);
        var expected = new float[1_000];
        ensemble.Predict(new TabularEncoder(Inputs).Encode(columns), expected);

        using var session = Open(new TabularPipeline(Inputs, ensemble));

        for (var from = 0; from < 1_000; from += batch)
        {
            var count = Math.Min(batch, 1_000 - from);
            AssertSameBits(expected.AsSpan(from, count), Run(session, columns, from, count));
        }
    }

    [Fact]
    public void The_encoded_matrix_of_the_graph_is_the_encoders_to_the_bit()
    {
        // One linear model per feature, 1·x + 0, shows the matrix column by column.
        TabularInput[] inputs = [new NumericInput("distance", 733.7f, 718.3f, 1 / 523.1f), .. Inputs[1..]];
        var columns = RandomColumns(500);
        var distances = ((NumericColumn)columns[0]).Values.Select(value => value * 900);
        columns[0] = new NumericColumn("distance", [.. distances]);
        columns[2] = new NumericColumn("hour", [.. Enumerable.Range(0, 500).Select(i => i % 24f)]);
        var design = new TabularEncoder(inputs).Encode(columns);

        for (var feature = 0; feature < 5; feature++)
        {
            var unit = Enumerable.Range(0, 5).Select(j => j == feature ? 1.0 : 0).ToArray();
            using var session = Open(new TabularPipeline(inputs, new LinearModel(unit, 0)));
            AssertSameBits([.. design.Chunk(5).Select(row => row[feature])], Run(session, columns, 0, 500));
        }
    }

    [Fact]
    public void A_linear_model_agrees_to_float_precision()
    {
        var model = new LinearModel([0.8, -3.5, 12.25, 0.001, 7], 31.5);
        var columns = RandomColumns(300);
        columns[2] = new NumericColumn("hour", [.. Enumerable.Range(0, 300).Select(i => i % 24f)]);
        var design = new TabularEncoder(Inputs).Encode(columns);

        using var session = Open(new TabularPipeline(Inputs, model));

        var actual = Run(session, columns, 0, 300);
        for (var i = 0; i < 300; i++)
            Reference.Close(model.Predict(design.AsSpan(5 * i, 5)), actual[i], 1e-6);
    }

    [Fact]
    public void Base_score_alone_and_metadata_are_read_back()
    {
        var pipeline = new TabularPipeline([new NumericInput("x")], new TreeEnsemble([], 4.25f, 1))
        {
            Metadata = new Dictionary<string, string> { ["run"] = "42" },
        };

        using var session = Open(pipeline);

        Assert.Equal("42", session.ModelMetadata.CustomMetadataMap["run"]);
        Assert.Equal([4.25f, 4.25f], Run(session, [new NumericColumn("x", [1, float.NaN])], 0, 2));
        Assert.Equal([-1, 1], session.InputMetadata["x"].Dimensions);
        Assert.Equal([-1, 1], session.OutputMetadata["prediction"].Dimensions);
    }

    private static TreeEnsemble RandomEnsemble(int trees)
    {
        var random = new Random(2);
        return new TreeEnsemble([.. Enumerable.Range(0, trees).Select(_ => RandomTree(random))], 31.3f, 5);
    }

    /// <summary>31 inner nodes and 32 leaves, children of node i at 2i + 1 and 2i + 2.</summary>
    private static Tree RandomTree(Random random)
    {
        T[] Nodes<T>(Func<int, T> make) => [.. Enumerable.Range(0, 63).Select(make)];
        return new Tree(
            Nodes(i => i < 31 ? random.Next(5) : 0),
            Nodes(i => i < 31 ? (float)(4 * random.NextDouble() - 2) : 0),
            Nodes(i => i < 31 ? 2 * i + 1 : -1),
            Nodes(i => i < 31 ? 2 * i + 2 : -1),
            Nodes(i => i < 31 && random.Next(2) == 0),
            Nodes(i => i < 31 ? 0 : (float)(random.NextDouble() - 0.5)),
            Nodes(_ => 1f),
            Nodes(_ => 0f));
    }

    private static RawColumn[] RandomColumns(int rows)
    {
        var random = new Random(1);
        float Number() => random.Next(6) == 0 ? float.NaN : (float)(4 * random.NextDouble() - 2);
        string?[] names = ["ATL", "ORD", "são", "unseen", "", null, "atl"];
        return
        [
            new NumericColumn("distance", [.. Enumerable.Range(0, rows).Select(_ => Number())]),
            new TextColumn("origin", [.. Enumerable.Range(0, rows).Select(_ => names[random.Next(names.Length)])]),
            new NumericColumn("hour", [.. Enumerable.Range(0, rows).Select(_ => Number())]),
        ];
    }

    private static InferenceSession Open(TabularPipeline pipeline)
    {
        using var options = new SessionOptions { IntraOpNumThreads = 1, InterOpNumThreads = 1 };
        return new InferenceSession(TabularModel.Export(pipeline), options);
    }

    private static float[] Run(InferenceSession session, RawColumn[] columns, int from, int count)
    {
        var feeds = columns.Select(column => column switch
        {
            NumericColumn numbers => NamedOnnxValue.CreateFromTensor(
                column.Name, new DenseTensor<float>(numbers.Values.AsSpan(from, count).ToArray(), [count, 1])),
            TextColumn texts => NamedOnnxValue.CreateFromTensor(
                column.Name, new DenseTensor<string>(Texts(texts.Values.AsSpan(from, count)), [count, 1])),
            _ => throw new NotSupportedException(),
        }).ToArray();
        using var results = session.Run(feeds);
        return [.. results.Single().AsTensor<float>()];
    }

    private static string[] Texts(ReadOnlySpan<string?> values) => [.. values.ToArray().Select(value => value ?? "")];

    private static void AssertSameBits(ReadOnlySpan<float> expected, ReadOnlySpan<float> actual)
    {
        Assert.Equal(expected.Length, actual.Length);
        for (var i = 0; i < expected.Length; i++)
            Assert.Equal(BitConverter.SingleToInt32Bits(expected[i]), BitConverter.SingleToInt32Bits(actual[i]));
    }
}
