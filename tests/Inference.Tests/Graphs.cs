using MlOps.Contracts.Registry.V1;
using MlOps.Numerics.Linear;
using MlOps.Numerics.Onnx;

namespace MlOps.Inference.Tests;

/// <summary>Small real ONNX models with their signatures.</summary>
internal static class Graphs
{
    /// <summary>0.01 · distance (500 where missing) + 2 · hour + slope · [origin = ATL] − 0.5 · [origin = ORD] + 3.</summary>
    public static byte[] Delay(double slope = 1.25) => TabularModel.Export(new TabularPipeline(
        [new NumericInput("distance", Impute: 500), new NumericInput("hour"), new CategoricalInput("origin", ["ATL", "ORD"])],
        new LinearModel([0.01, 2, slope, -0.5], 3)));

    public static Signature DelaySignature => new()
    {
        Inputs =
        {
            new TensorSpec { Name = "distance", Datatype = "FP32", Shape = { -1, 1 }, Nullable = true },
            new TensorSpec { Name = "hour", Datatype = "FP32", Shape = { -1, 1 } },
            new TensorSpec { Name = "origin", Datatype = "BYTES", Shape = { -1, 1 } },
        },
        Outputs = { new TensorSpec { Name = TabularModel.OutputName, Datatype = "FP32", Shape = { -1, 1 } } },
    };

    /// <summary>Distance + 4 by distance alone.</summary>
    public static byte[] Distance() =>
        TabularModel.Export(new TabularPipeline([new NumericInput("distance", Impute: 500)], new LinearModel([1], 4)));

    public static Signature DistanceSignature => new()
    {
        Inputs = { new TensorSpec { Name = "distance", Datatype = "FP32", Shape = { -1, 1 }, Nullable = true } },
        Outputs = { new TensorSpec { Name = TabularModel.OutputName, Datatype = "FP32", Shape = { -1, 1 } } },
    };

    /// <summary>factor · x + 0: answers tell which version they come from.</summary>
    public static byte[] Times(double factor) =>
        TabularModel.Export(new TabularPipeline([new NumericInput("x")], new LinearModel([factor], 0)));

    public static Signature TimesSignature => new()
    {
        Inputs = { new TensorSpec { Name = "x", Datatype = "FP32", Shape = { -1, 1 } } },
        Outputs = { new TensorSpec { Name = TabularModel.OutputName, Datatype = "FP32", Shape = { -1, 1 } } },
    };

    /// <summary>Datatypes by ONNX's element type.</summary>
    public static readonly (string Datatype, int OnnxType)[] Types =
    [
        ("FP32", 1), ("UINT8", 2), ("INT8", 3), ("UINT16", 4), ("INT16", 5), ("INT32", 6), ("INT64", 7), ("BYTES", 8),
        ("BOOL", 9), ("FP16", 10), ("FP64", 11), ("UINT32", 12), ("UINT64", 13), ("BF16", 16),
    ];

    /// <summary>Two values of the datatype, at its edges.</summary>
    public static object[] ValuesOf(string datatype) => datatype switch
    {
        "FP32" => [float.MaxValue, -0f],
        "FP64" => [double.Epsilon, -1.5e300],
        "FP16" => [(System.Half)0.333, System.Half.MaxValue],
        // 1 and −3.125: the upper halves of their FP32.
        "BF16" => [(ushort)0x3F80, (ushort)0xC048],
        "INT8" => [sbyte.MinValue, sbyte.MaxValue],
        "INT16" => [short.MinValue, short.MaxValue],
        "INT32" => [int.MinValue, int.MaxValue],
        "INT64" => [long.MinValue, long.MaxValue],
        "UINT8" => [(byte)0, byte.MaxValue],
        "UINT16" => [(ushort)0, ushort.MaxValue],
        "UINT32" => [0u, uint.MaxValue],
        "UINT64" => [0ul, ulong.MaxValue],
        "BOOL" => [true, false],
        _ => ["", "Ünï\"c\\ode\n☃"],
    };

    public static Signature EchoSignature(string datatype) => new()
    {
        Inputs = { new TensorSpec { Name = "x", Datatype = datatype, Shape = { -1, 2 } } },
        Outputs = { new TensorSpec { Name = "y", Datatype = datatype, Shape = { -1, 2 } } },
    };

    /// <summary>Gives its one input of that element type, two values a row, back unchanged as <c>y</c>.</summary>
    public static byte[] Echo(int onnxType) => new GraphBuilder("echo")
        .Input("x", (OnnxType)onnxType, 2)
        .Output("y", (OnnxType)onnxType, 2)
        .Node("Identity", ["x"], "y")
        .Build();
}
