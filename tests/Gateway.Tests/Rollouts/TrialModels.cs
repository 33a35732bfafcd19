using MlOps.Contracts.Registry.V1;
using MlOps.Numerics.Onnx;

namespace MlOps.Gateway.Tests.Rollouts;

/// <summary>Real graphs of one input <c>x</c> in [0, 1): 2x + bias, by itself or with something wrong with it.</summary>
internal static class TrialModels
{
    private const string Output = "prediction";

    public static Signature Signature { get; } = new()
    {
        Inputs = { new TensorSpec { Name = "x", Datatype = "FP32", Shape = { -1, 1 } } },
        Outputs = { new TensorSpec { Name = Output, Datatype = "FP32", Shape = { -1, 1 } } },
    };

    public static byte[] Line(double bias) => Begin().Constant("bias", [1], [(float)bias]).Node("Add", ["double", "bias"], Output).Build();

    /// <summary>Looks up a row that is not there for the share of the inputs above: the runtime fails in the middle of the graph.</summary>
    public static byte[] FailingAbove(double x) => Begin()
        .Constant("limit", [1], [(float)x]).Constant("table", [1], [0f])
        .Node("Greater", ["x", "limit"], "above").Node("Cast", ["above"], "row", attributes: new OnnxAttributes().Integer("to", (int)OnnxType.Int64))
        .Node("Gather", ["table", "row"], "found").Node("Add", ["double", "found"], Output).Build();

    /// <summary>Multiplies two matrices of a side of 1,200 for every batch: 3.5 billion operations.</summary>
    public static byte[] Slow() => Begin()
        .Constant("shape", 1_200, 1_200).Constant("nothing", [1], [0f])
        .Node("ReduceMax", ["x"], "one", attributes: new OnnxAttributes().Integers("axes", [0, 1]).Integer("keepdims", 1))
        .Node("Expand", ["one", "shape"], "matrix").Node("MatMul", ["matrix", "matrix"], "product")
        .Node("ReduceMean", ["product"], "mean", attributes: new OnnxAttributes().Integers("axes", [0, 1]).Integer("keepdims", 1))
        .Node("Mul", ["mean", "nothing"], "zero").Node("Add", ["double", "zero"], Output).Build();

    private static GraphBuilder Begin() => new GraphBuilder("trial").Input("x", OnnxType.Float, 1).Output(Output, OnnxType.Float, 1)
        .Constant("two", [1], [2f]).Node("Mul", ["x", "two"], "double");
}
