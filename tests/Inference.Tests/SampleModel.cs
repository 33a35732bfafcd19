using MlOps.Contracts.Registry.V1;
using MlOps.Inference.Models;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Profiles;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Tests;

/// <summary>A graph with its signature, and rows to ask it with.</summary>
internal sealed record SampleModel(string Name, byte[] Onnx, Signature Signature, bool IsExplainable = false)
{
    private static readonly double[] Specials =
        [double.NaN, 0, -0.0, 1, -1, 1e-40, -1e-40, 16_777_217, 1e9, -1e9, float.MaxValue, float.MinValue];

    private static readonly string[] Texts = ["ATL", "ORD", "são", "sao", "", "AA", "DL", "unseen", "atl"];

    public ModelVersion Entry => new() { Model = Name, Version = 1, Signature = Signature };

    public LoadedModel Open(ModelSettings? settings = null, ReferenceProfile? profile = null) =>
        ModelLoader.Open(Entry, Onnx, settings ?? new ModelSettings(), profile);

    /// <summary>Fills the inputs with rows from..to of an endless table that is the same for the same seed.</summary>
    public static void Fill(Workspace workspace, int seed, int from, int to)
    {
        var violations = new Violations();
        foreach (var (slot, place) in workspace.Inputs.Select((slot, place) => (slot, place)))
        {
            var width = slot.Layout.Shape.Length == 1 ? 1 : (int)slot.Layout.Shape[1];
            long[] shape = slot.Layout.Shape.Length == 1 ? [to - from] : [to - from, width];
            slot.TryBegin(violations);
            slot.TryShape(slot.Layout.Datatype.Name, shape, violations);
            for (var row = from; row < to; row++)
            {
                for (var at = 0; at < width; at++) Append(slot, new Random((((((seed * 31) + place) * 31) + at) * 100_003) + row));
            }
        }

        workspace.Check(violations);
    }

    private static void Append(InputSlot slot, Random random)
    {
        var number = random.Next(6) == 0 ? Specials[random.Next(Specials.Length)] : (4 * random.NextDouble()) - 2;
        switch (slot.Layout.Datatype.Name)
        {
            case "BYTES": slot.TryAppendText(System.Text.Encoding.UTF8.GetBytes(Texts[random.Next(Texts.Length)])); break;
            case "FP32": slot.Append((float)Given(slot, number)); break;
            case "FP64": slot.Append(Given(slot, number)); break;
            case "INT64": slot.Append(random.Next(4) == 0 ? random.NextInt64() : random.Next(-3, 4)); break;
            default: throw new NotSupportedException(slot.Layout.Datatype.Name);
        }
    }

    private static double Given(InputSlot slot, double number) => double.IsNaN(number) && !slot.Layout.IsNullable ? 0.5 : number;
}
