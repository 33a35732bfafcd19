using MlOps.Contracts.Registry.V1;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Trees;

namespace MlOps.Inference.Tests;

/// <summary>Graphs of every form that is served in a special way, and some that are not.</summary>
internal static class SampleModels
{
    private static readonly string[] WithoutTrees = ["linear export", "general matrix", "matrix and addend", "no model at all"];

    public static IReadOnlyList<SampleModel> All { get; } =
    [
        new("linear export", Graphs.Delay(), Graphs.DelaySignature, IsExplainable: true),
        new("trees export", TabularModel.Export(new TabularPipeline(
            [
                new NumericInput("distance", Impute: 0.37f, Offset: 0.1f, Scale: 1.7f), new NumericInput("hour"),
                new CategoricalInput("origin", ["ATL", "ORD", "são", ""]), new NumericInput("wind", Impute: -1),
                new CategoricalInput("carrier", ["AA", "DL"]),
            ],
            RandomTrees.Ensemble(1, trees: 60, depth: 6, features: 9))),
            Sign([("distance", "FP32", 1), ("hour", "FP32", 1), ("origin", "BYTES", 1), ("wind", "FP32", 1), ("carrier", "BYTES", 1)], ("prediction", "FP32", 1)),
            IsExplainable: true),
        new("base score alone",
            TabularModel.Export(new TabularPipeline([new NumericInput("x")], new TreeEnsemble([], 4.25f, 1))),
            Sign([("x", "FP32", 1)], ("prediction", "FP32", 1)), IsExplainable: true),
        new("plain rows",
            Rows(7).Trees("x", "y", 7).Output("y", OnnxType.Float, 1).Build(),
            Sign([("x", "FP32", 7)], ("y", "FP32", 1)), IsExplainable: true),
        new("rows of integers and doubles",
            new GraphBuilder("casts").Input("n", OnnxType.Int64, 2).Input("d", OnnxType.Double, 3).Output("y", OnnxType.Float, 1)
                .Node("Cast", ["n"], "nf", attributes: ToFloat).Node("Cast", ["d"], "df", attributes: ToFloat)
                .Node("Concat", ["df", "nf"], "row", attributes: new OnnxAttributes().Integer("axis", 1))
                .Trees("row", "y", 5).Build(),
            Sign([("n", "INT64", 2), ("d", "FP64", 3)], ("y", "FP32", 1)), IsExplainable: true),
        new("logistic step by step",
            Rows(4).Constant("one", [1], [1f]).Trees("x", "s", 4).Output("p", OnnxType.Float, 1)
                .Node("Neg", ["s"], "n").Node("Exp", ["n"], "e").Node("Add", ["e", "one"], "d").Node("Reciprocal", ["d"], "p").Build(),
            Sign([("x", "FP32", 4)], ("p", "FP32", 1)), IsExplainable: true),
        new("sigmoid",
            Rows(4).Trees("x", "s", 4).Output("p", OnnxType.Float, 1).Node("Sigmoid", ["s"], "p").Build(),
            Sign([("x", "FP32", 4)], ("p", "FP32", 1)), IsExplainable: true),
        new("general matrix",
            Rows(3).Output("y", OnnxType.Float, 2).Constant("w", [2, 3], [1f, 2, 3, -4, 5, 0.5f]).Constant("b", [2], [10f, 20])
                .Node("Gemm", ["x", "w", "b"], "y", attributes: new OnnxAttributes().Integer("transB", 1)).Build(),
            Sign([("x", "FP32", 3)], ("y", "FP32", 2)), IsExplainable: true),
        new("matrix and addend",
            Rows(3).Output("y", OnnxType.Float, 1).Constant("w", [3, 1], [1f, -2, 3]).Constant("b", [1], [0.25f])
                .Node("MatMul", ["x", "w"], "z").Node("Add", ["b", "z"], "y").Build(),
            Sign([("x", "FP32", 3)], ("y", "FP32", 1)), IsExplainable: true),
        new("a front of its own",
            Rows(3).Output("y", OnnxType.Float, 1).Node("Abs", ["x"], "row").Trees("row", "y", 3).Build(),
            Sign([("x", "FP32", 3)], ("y", "FP32", 1))),
        new("an end of its own",
            Rows(3).Output("y", OnnxType.Float, 1).Output("r", OnnxType.Float, 3).Trees("x", "s", 3)
                .Node("Mul", ["s", "s"], "y").Node("Neg", ["x"], "r").Build(),
            Sign([("x", "FP32", 3)], ("y", "FP32", 1), ("r", "FP32", 3))),
        new("several targets",
            Rows(5).Targets("x", "y", 5, 3).Output("y", OnnxType.Float, 3).Build(),
            Sign([("x", "FP32", 5)], ("y", "FP32", 3)), IsExplainable: true),
        new("two classes",
            Rows(6).Classes("x", "label", "p", 6, 2, "LOGISTIC", isText: false).Output("label", OnnxType.Int64).Output("p", OnnxType.Float, 2).Build(),
            Sign([("x", "FP32", 6)], ("label", "INT64", 0), ("p", "FP32", 2)), IsExplainable: true),
        new("classes with names",
            Rows(6).Classes("x", "label", "p", 6, 4, "SOFTMAX", isText: true).Output("label", OnnxType.Text).Output("p", OnnxType.Float, 4).Build(),
            Sign([("x", "FP32", 6)], ("p", "FP32", 4), ("label", "BYTES", 0)), IsExplainable: true),
        new("more made of names and scores",
            Rows(6).Classes("x", "l", "s", 6, 3, "NONE", isText: true).Node("Identity", ["l"], "label").Node("Abs", ["s"], "p").Node("Neg", ["x"], "n")
                .Output("label", OnnxType.Text).Output("p", OnnxType.Float, 3).Output("n", OnnxType.Float, 6).Output("s", OnnxType.Float, 3).Build(),
            Sign([("x", "FP32", 6)], ("n", "FP32", 6), ("label", "BYTES", 0), ("s", "FP32", 3), ("p", "FP32", 3)), IsExplainable: true),
        new("more made of numbered labels",
            Rows(6).Classes("x", "l", "s", 6, 3, "NONE", isText: false).Node("Cast", ["l"], "label", attributes: ToFloat)
                .Output("label", OnnxType.Float).Build(),
            Sign([("x", "FP32", 6)], ("label", "FP32", 0))),
        new("exponential",
            Rows(4).Trees("x", "s", 4).Output("y", OnnxType.Float, 1).Node("Exp", ["s"], "y").Build(),
            Sign([("x", "FP32", 4)], ("y", "FP32", 1)), IsExplainable: true),
        new("no model at all", Graphs.Echo((int)OnnxType.Float), Graphs.EchoSignature("FP32")),
    ];

    public static bool HasTrees(SampleModel sample) => !WithoutTrees.Contains(sample.Name);

    public static SampleModel Named(string name) => All.Single(sample => sample.Name == name);

    public static TheoryData<string> Names(Func<SampleModel, bool> which) => [.. All.Where(which).Select(sample => sample.Name)];

    private static OnnxAttributes ToFloat => new OnnxAttributes().Integer("to", (int)OnnxType.Float);

    private static GraphBuilder Rows(int width) => new GraphBuilder("rows").Input("x", OnnxType.Float, width);

    private static Signature Sign((string, string, int)[] inputs, params (string, string, int)[] outputs) => new()
    {
        Inputs = { inputs.Select(Spec) },
        Outputs = { outputs.Select(Spec) },
    };

    // A width of 0 is a tensor of one dimension.
    private static TensorSpec Spec((string Name, string Datatype, int Width) tensor) => new()
    {
        Name = tensor.Name,
        Datatype = tensor.Datatype,
        Shape = { tensor.Width == 0 ? [-1] : [-1L, tensor.Width] },
        Nullable = tensor.Datatype.StartsWith("FP", StringComparison.Ordinal),
    };
}
