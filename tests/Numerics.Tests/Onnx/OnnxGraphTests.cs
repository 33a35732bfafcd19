using Microsoft.ML.OnnxRuntime;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Numerics.Onnx;

namespace MlOps.Numerics.Tests.Onnx;

/// <summary>Graphs read and cut; the parts run in the real ONNX Runtime.</summary>
public class OnnxGraphTests
{
    [Fact]
    public void A_graph_says_what_it_takes_gives_and_does()
    {
        var graph = new OnnxGraph(Model());

        Assert.Equal(["x", "z"], graph.Inputs.Select(input => input.Name));
        Assert.Equal([OnnxType.Float, OnnxType.Int64], graph.Inputs.Select(input => input.Type!.Value));
        Assert.Equal([-1, 2], graph.Inputs[0].Dimensions!);
        Assert.Equal(["y", "n"], graph.Outputs.Select(output => output.Name));
        Assert.Equal(["Mul", "Neg", "Add", "Cast", "Add"], graph.Nodes.Select(node => node.Operation));
        Assert.Equal([3f, 4f], graph.ConstantOf("factor")!.Singles);
        Assert.Null(graph.ConstantOf("x"));
        Assert.Equal(["x"], graph.InputsOf("s").Select(input => input.Name));
        Assert.Equal(["x", "z"], graph.InputsOf("y").Select(input => input.Name));
    }

    [Fact]
    public void The_parts_of_a_cut_graph_give_together_what_the_whole_does()
    {
        var graph = new OnnxGraph(Model());
        var s = OnnxValue.Of("s", OnnxType.Float, -1, 2);
        var x = new DenseTensor<float>(new float[] { 1, -2, 0.5f, 7 }, [2, 2]);
        var z = new DenseTensor<long>(new long[] { 10, 20 }, [2, 1]);

        var front = Run(graph.Extract([], ["s"]), NamedOnnxValue.CreateFromTensor("x", x));
        var back = Run(
            graph.Extract([s], ["y"]), NamedOnnxValue.CreateFromTensor("s", front["s"]), NamedOnnxValue.CreateFromTensor("z", z));
        var whole = Run(Model(), NamedOnnxValue.CreateFromTensor("x", x), NamedOnnxValue.CreateFromTensor("z", z));

        Assert.Equal(whole["y"], back["y"]);
        Assert.Equal([10 + 3 - 1f, 10 - 8 + 2f, 20 + 1.5f - 0.5f, 20 + 28 - 7f], whole["y"]);
    }

    [Fact]
    public void What_is_not_needed_is_left_out()
    {
        var part = new OnnxGraph(new OnnxGraph(Model()).Extract([], ["n"]));

        Assert.Equal(["Neg"], part.Nodes.Select(node => node.Operation));
        Assert.Equal(["x"], part.Inputs.Select(input => input.Name));
        Assert.Null(part.ConstantOf("factor"));
    }

    [Fact]
    public void A_graph_of_an_operation_and_a_tensor_from_nowhere_are_refused()
    {
        var nested = new OnnxWriter().Message(7, graph => graph
            .Message(1, node => node.Text(1, "x").Text(2, "y").Text(4, "If").Message(5, a => a.Text(1, "then_branch").Message(6, g => g.Text(2, "g"))))
            .Message(11, input => input.Text(1, "x")).Message(12, output => output.Text(1, "y"))).Written.ToArray();

        Assert.Throws<NotSupportedException>(() => new OnnxGraph(nested).Extract([], ["y"]));
        Assert.Throws<InvalidDataException>(() => new OnnxGraph(Model()).Extract([], ["unknown"]));
    }

    [Fact]
    public void Broken_models_are_refused_or_read_as_far_as_they_are_whole()
    {
        var model = Model();
        var refused = 0;
        for (var length = 1; length < model.Length; length++)
        {
            try
            {
                _ = new OnnxGraph(model.AsMemory(0, length));
            }
            catch (InvalidDataException)
            {
                refused++;
            }
        }

        Assert.True(refused > model.Length / 2);
    }

    [Fact]
    public void Steps_of_an_encoding_are_read_with_their_figures()
    {
        var graph = new OnnxGraph(TabularModel.Export(new TabularPipeline(
            [new NumericInput("a", 0.5f, 2, 0.25f), new CategoricalInput("k", ["u", "v"])], new Numerics.Linear.LinearModel([1, 2, 3], 0))));

        var features = OnnxEncoding.Read(graph, "/scaled");

        Assert.Equal(["a", "k", "k"], features.Select(feature => feature.Input));
        Assert.Equal([null, "u", "v"], features.Select(feature => feature.Category));
        Assert.Equal((0.5f - 2) * 0.25f, features[0].Apply(float.NaN));
        Assert.Equal((10f - 2) * 0.25f, features[0].Apply(10));
        Assert.Equal([0f, 1f], [features[1].Apply(0), features[2].Apply(1)]);
    }

    [Theory]
    [InlineData("Abs")]
    [InlineData("Transpose")]
    public void An_operation_the_encoder_does_not_know_is_named(string operation)
    {
        var graph = new OnnxGraph(new GraphBuilder("other").Input("x", OnnxType.Float, 2).Node(operation, ["x"], "y").Build());

        var refusal = Assert.Throws<NotSupportedException>(() => OnnxEncoding.Read(graph, "y"));

        Assert.Contains(operation, refusal.Message, StringComparison.Ordinal);
    }

    /// <summary>s = x · factor + (−x), y = s + float(z); n = −x.</summary>
    private static byte[] Model() => new GraphBuilder("parts")
        .Input("x", OnnxType.Float, 2).Input("z", OnnxType.Int64, 1)
        .Constant("factor", [2], [3f, 4f])
        .Node("Mul", ["x", "factor"], "m").Node("Neg", ["x"], "n").Node("Add", ["m", "n"], "s")
        .Node("Cast", ["z"], "f", attributes: new OnnxAttributes().Integer("to", (int)OnnxType.Float)).Node("Add", ["s", "f"], "y")
        .Output("y", OnnxType.Float, 2).Output("n", OnnxType.Float, 2)
        .Build();

    private static Dictionary<string, DenseTensor<float>> Run(byte[] model, params NamedOnnxValue[] inputs)
    {
        using var session = new InferenceSession(model);
        using var outputs = session.Run(inputs);
        return outputs.ToDictionary(output => output.Name, output => output.AsTensor<float>().ToDenseTensor());
    }
}
