using MlOps.Contracts.Registry.V1;
using MlOps.Numerics.Onnx;

namespace MlOps.Inference.Tests.Conformance;

/// <summary>A model of two inputs and two outputs: <c>p</c> is <c>a</c> (FP32, two a row), <c>q</c> is <c>b</c> (BYTES).</summary>
internal static class Pair
{
    public static readonly Tensor A = new("a", "FP32", [2, 2], 1f, 2f, 3f, 4f);
    public static readonly Tensor B = new("b", "BYTES", [2, 1], "one", "");

    /// <summary>The model's inputs, and another order.</summary>
    public static readonly Tensor[] Good = [A, B];

    public static byte[] Onnx => new GraphBuilder("pair")
        .Input("a", OnnxType.Float, 2)
        .Input("b", OnnxType.Text, 1)
        .Output("p", OnnxType.Float, 2)
        .Output("q", OnnxType.Text, 1)
        .Node("Identity", ["a"], "p")
        .Node("Identity", ["b"], "q")
        .Build();

    public static Signature Signature => new()
    {
        Inputs =
        {
            new TensorSpec { Name = "a", Datatype = "FP32", Shape = { -1, 2 } },
            new TensorSpec { Name = "b", Datatype = "BYTES", Shape = { -1, 1 } },
        },
        Outputs =
        {
            new TensorSpec { Name = "p", Datatype = "FP32", Shape = { -1, 2 } },
            new TensorSpec { Name = "q", Datatype = "BYTES", Shape = { -1, 1 } },
        },
    };

    public static byte[] RawOf(Tensor tensor) => [.. tensor.Values.SelectMany(v => Tensor.Raw(tensor.Datatype, v))];
}
