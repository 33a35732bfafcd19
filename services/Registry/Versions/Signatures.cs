using Google.Protobuf.Collections;
using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;

namespace MlOps.Registry.Versions;

/// <summary>What a model's signature must hold so that serving can check requests against it.</summary>
internal static class Signatures
{
    // Open Inference Protocol v2, "Tensor Data Types".
    private static readonly HashSet<string> Datatypes =
    [
        "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16", "FP32", "FP64", "BF16",
        "BYTES", "BF16",
    ];

    public static void Check(Violations violations, Signature? signature)
    {
        if (signature is null)
        {
            violations.Add("signature", "must be given");
            return;
        }

        Check(violations, "signature.inputs", signature.Inputs);
        Check(violations, "signature.outputs", signature.Outputs);
    }

    private static void Check(Violations violations, string field, RepeatedField<TensorSpec> tensors)
    {
        violations.AddIf(tensors.Count == 0, field, "must name one tensor at least");
        foreach (var name in tensors.GroupBy(t => t.Name).Where(g => g.Count() > 1).Select(g => g.Key))
        {
            violations.Add(field, $"'{name}' is named more than once");
        }

        foreach (var tensor in tensors)
        {
            var path = $"{field}.{tensor.Name}";
            violations.AddIf(tensor.Name.Length == 0, field, "every tensor needs a name");
            violations.CheckText(path, tensor.Name, 250);
            violations.AddIf(
                !Datatypes.Contains(tensor.Datatype), path,
                $"datatype '{tensor.Datatype}' must be one of {string.Join(", ", Datatypes)}");
            violations.AddIf(tensor.Shape.Any(d => d < -1), path, "a dimension is -1 (variable) or more");
        }
    }
}
