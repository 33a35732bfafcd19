using MlOps.Contracts.Registry.V1;
using MlOps.Inference.Batching;
using MlOps.Inference.Models;
using MlOps.Inference.Models.Backends;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Profiles;
using MlOps.Numerics.Trees;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

/// <summary>The evaluator of trees in ONNX Runtime's place: the same answers, or not chosen.</summary>
public sealed class BackendTests
{
    private const int Rows = 700;

    // ONNX Runtime's own links; all else is its sums, to the bit.
    private static readonly string[] WithLinks = ["logistic step by step", "two classes", "classes with names", "exponential"];

    public static TheoryData<string> Trees => SampleModels.Names(SampleModels.HasTrees);

    public static TheoryData<string> Others => SampleModels.Names(sample => !SampleModels.HasTrees(sample));

    [Theory]
    [MemberData(nameof(Trees))]
    public void The_evaluator_answers_as_ONNX_Runtime_does(string name)
    {
        using var ours = SampleModels.Named(name).Open(By(BackendKind.Trees));
        using var onnx = SampleModels.Named(name).Open(By(BackendKind.OnnxRuntime));
        Assert.Equal(("trees", "onnxruntime"), (ours.Backend.Name, onnx.Backend.Name));
        foreach (var (seed, from, to) in ((int, int, int)[])[(1, 0, Rows), (1, 3, 4), (2, 0, 7), (3, 0, 256), (4, 0, 257)])
        {
            using var answer = Run(ours, seed, from, to);
            using var expected = Run(onnx, seed, from, to);
            for (var i = 0; i < answer.Outputs.Length; i++) AssertSame(expected.Outputs[i], answer.Outputs[i], !WithLinks.Contains(name));
        }
    }

    [Theory]
    [MemberData(nameof(Trees))]
    public void A_row_has_the_same_answer_alone_and_among_others(string name)
    {
        using var model = SampleModels.Named(name).Open(By(BackendKind.Trees));
        using var whole = Run(model, 5, 0, 300);
        for (var row = 0; row < 300; row += 7)
        {
            using var alone = Run(model, 5, row, row + 1);
            for (var i = 0; i < alone.Outputs.Length; i++)
            {
                var (one, all) = (alone.Outputs[i], whole.Outputs[i]);
                for (var at = 0; at < one.Count; at++)
                {
                    if (one.Layout.Datatype.IsText) Assert.True(one.Text(at).SequenceEqual(all.Text((row * one.Count) + at)));
                    else Assert.Equal(one.NumberAt(at), all.NumberAt((row * one.Count) + at));
                }
            }
        }
    }

    [Theory]
    [MemberData(nameof(Others))]
    public void A_graph_without_trees_stays_with_ONNX_Runtime_and_is_refused_where_the_evaluator_is_asked_for(string name)
    {
        using var model = SampleModels.Named(name).Open(By(BackendKind.Auto));

        Assert.Equal(("onnxruntime", "the graph has no trees"), (model.Backend.Name, model.Choice.Reason));
        var refused = Assert.Throws<InvalidDataException>(() => SampleModels.Named(name).Open(By(BackendKind.Trees)));
        Assert.Contains("no trees", refused.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("plain rows", "")]
    [InlineData("rows of integers and doubles", "")]
    [InlineData("trees export", "")]
    [InlineData("classes with names", "")]
    [InlineData("a front of its own", "front")]
    [InlineData("sigmoid", "rest")]
    [InlineData("more made of names and scores", "rest")]
    public void Only_what_is_of_no_known_form_is_left_to_ONNX_Runtime(string name, string expected)
    {
        using var model = SampleModels.Named(name).Open(By(BackendKind.Trees));

        Assert.Equal(expected, model.Choice.OnnxRuntimeParts);
        Assert.True(model.Choice.ComparedRows > 256);
        Assert.InRange(model.Choice.LargestDifference, 0, 1e-6);
    }

    [Fact]
    public void A_graph_that_refuses_the_probes_stays_with_ONNX_Runtime_and_is_warmed_with_rows_of_its_profile()
    {
        var onnx = new GraphBuilder("strict").Input("c", OnnxType.Text, 1).Output("y", OnnxType.Float, 1).Constant("shape", -1, 2)
            .Node("OneHotEncoder", ["c"], "hot", GraphBuilder.MachineLearning, new OnnxAttributes().Texts("cats_strings", ["a", "b"]).Integer("zeros", 0))
            .Node("Reshape", ["hot", "shape"], "row").Trees("row", "y", 2).Build();
        var sample = new SampleModel("strict", onnx, new Signature
        {
            Inputs = { new TensorSpec { Name = "c", Datatype = "BYTES", Shape = { -1, 1 } } },
            Outputs = { new TensorSpec { Name = "y", Datatype = "FP32", Shape = { -1, 1 } } },
        });
        Assert.Throws<InvalidRequestException>(() => sample.Open(By(BackendKind.Auto)));
        var profile = new ReferenceProfile { Features = [FeatureProfile.Categorical("c", ["a", "b", "a"])] };

        using var model = ModelLoader.Open(sample.Entry, onnx, By(BackendKind.Auto), profile);

        Assert.Equal("onnxruntime", model.Backend.Name);
        Assert.Contains("cannot compute this input", model.Choice.Reason, StringComparison.Ordinal);
    }

    [Fact]
    public void A_threshold_off_by_one_bit_and_a_missing_value_on_the_wrong_side_are_noticed()
    {
        var sample = SampleModels.Named("plain rows");
        using var model = sample.Open(By(BackendKind.OnnxRuntime));
        var parts = new GraphParts(sample.Onnx, model.Inputs, model.Outputs);
        var trees = parts.Trees!; // The sample has them.
        Assert.Equal(0, DifferenceOf(trees));

        for (var tree = 0; tree < 10; tree++)
        {
            Assert.True(DifferenceOf(With(tree, root => root with { Threshold = [MathF.BitIncrement(root.Threshold[0]), .. root.Threshold[1..]] })) > 1e-6);
            Assert.True(DifferenceOf(With(tree, root => root with { Threshold = [MathF.BitDecrement(root.Threshold[0]), .. root.Threshold[1..]] })) > 1e-6);
            Assert.True(DifferenceOf(With(tree, root => root with { DefaultLeft = [!root.DefaultLeft[0], .. root.DefaultLeft[1..]] })) > 1e-6);
        }

        OnnxTrees With(int tree, Func<Tree, Tree> change) => trees with
        {
            Targets = [trees.Targets[0] with { Trees = [.. trees.Targets[0].Trees.Select((t, place) => place == tree ? change(t) : t)] }],
        };

        double DifferenceOf(OnnxTrees changed)
        {
            using var ours = new TreesBackend(TreesPlan.Make("m", parts.Graph!, changed, new OnnxSettings(), model.Inputs, model.Outputs)); // There is one.
            // The thresholds to be tried are the graph's.
            var probes = new ProbeRows(model.Inputs, null, trees, parts.Features);
            return new CompareBackends(ours, model.Backend, model.Outputs, probes).Differences(changed).Difference;
        }
    }

    [Fact]
    public void The_same_is_noticed_behind_a_front_whose_steps_cannot_be_taken_back_exactly()
    {
        var sample = SampleModels.Named("trees export");
        using var model = sample.Open(By(BackendKind.OnnxRuntime));
        var parts = new GraphParts(sample.Onnx, model.Inputs, model.Outputs);
        var trees = parts.Trees!; // The sample has them.
        var first = trees.Targets[0].Trees[0];
        var changed = trees with
        {
            Targets = [trees.Targets[0] with { Trees = [first with { Threshold = [MathF.BitIncrement(first.Threshold[0]), .. first.Threshold[1..]] }, .. trees.Targets[0].Trees.Skip(1)] }],
        };

        Assert.Equal(0, DifferenceOf(trees));
        Assert.True(DifferenceOf(changed) > 1e-6);

        double DifferenceOf(OnnxTrees asked)
        {
            var (rows, difference) = CompareScores.Differences(trees, parts, new TreeScorer(asked, 9), new OnnxSettings());
            Assert.True(rows > 64);
            return difference;
        }
    }

    [Fact]
    public void Every_threshold_and_its_neighbours_are_among_the_probes()
    {
        var sample = SampleModels.Named("plain rows");
        using var model = sample.Open(By(BackendKind.Auto));
        var parts = new GraphParts(sample.Onnx, model.Inputs, model.Outputs);
        var probes = new ProbeRows(model.Inputs, null, parts.Trees, parts.Features);
        var values = System.Runtime.InteropServices.MemoryMarshal.Cast<byte, float>(probes.Edgy(probes.Edges + 256, 1)[0].Bytes).ToArray();

        foreach (var feature in ProbeRows.ThresholdsOf(parts.Trees))
        {
            var asked = values.Where((_, at) => at % 7 == feature.Key).ToHashSet();
            Assert.Contains(float.NaN, asked);
            Assert.All(feature.SelectMany(ProbeRows.Around), value => Assert.Contains(value, asked));
        }
    }

    [Fact]
    public void The_slower_one_is_known_by_the_clock()
    {
        using var model = SampleModels.Named("plain rows").Open(By(BackendKind.Auto));
        var time = new ManualTimeProvider();
        using var slow = new Clocked(model.Backend, time, 3);
        using var fast = new Clocked(model.Backend, time, 1);
        var probes = new ProbeRows(model.Inputs, null);

        var (single, batch) = new CompareBackends(fast, slow, model.Outputs, probes).Speedups(time);

        Assert.Equal(3, single, 0.2);
        Assert.Equal(3, batch, 0.2);
    }

    private static ModelSettings By(BackendKind kind) => new() { Backend = kind, Batching = new BatchSettings { Mode = BatchMode.Off } };

    private static Workspace Run(LoadedModel model, int seed, int from, int to)
    {
        var workspace = model.RentWorkspace(0);
        SampleModel.Fill(workspace, seed, from, to);
        model.Backend.Run(workspace.Inputs, workspace.Outputs);
        return workspace;
    }

    private static void AssertSame(OutputSlot expected, OutputSlot actual, bool isExact)
    {
        Assert.Equal(expected.Shape, actual.Shape);
        if (isExact || !expected.Layout.Datatype.IsFloating) Assert.True(expected.Bytes.SequenceEqual(actual.Bytes));
        for (var i = 0; i < expected.Count; i++)
        {
            if (expected.Layout.Datatype.IsText) Assert.True(expected.Text(i).SequenceEqual(actual.Text(i)));
            else Assert.True(CompareBackends.Difference(actual.NumberAt(i), expected.NumberAt(i)) <= 1e-6, $"{i}: {actual.NumberAt(i)} for {expected.NumberAt(i)}");
        }
    }

    private sealed class Clocked(IModelBackend inner, ManualTimeProvider time, int milliseconds) : IModelBackend
    {
        public string Name => inner.Name;

        public void Run(ReadOnlySpan<InputSlot> inputs, ReadOnlySpan<OutputSlot> outputs)
        {
            inner.Run(inputs, outputs);
            time.Advance(TimeSpan.FromMilliseconds(milliseconds));
        }

        public void Dispose()
        {
        }
    }
}
