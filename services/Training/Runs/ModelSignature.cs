using MlOps.Contracts.Registry.V1;
using MlOps.Contracts.Training.V1;
using MlOps.Numerics.Onnx;

namespace MlOps.Training.Runs;

/// <summary>Inputs and output of the exported graph, in the words of the Open Inference Protocol.</summary>
internal static class ModelSignature
{
    private const int Batch = -1;

    internal static Signature Of(Pipeline pipeline) => new()
    {
        Inputs = { pipeline.Inputs.Select(Of) },
        Outputs = { new TensorSpec { Name = TabularModel.OutputName, Datatype = "FP32", Shape = { Batch, 1 } } },
    };

    private static TensorSpec Of(InputColumn input) => new()
    {
        Name = input.Name,
        Datatype = input.Kind == InputColumn.Types.Kind.Categorical ? "BYTES" : "FP32",
        Shape = { Batch, 1 },
        Nullable = input.Nullable,
        Personal = input.Personal,
    };
}
