using System.Text;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Profiles;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Batching;

/// <summary>
/// Rows of an endless table to try a version with, the same ones always: by its reference profile where there is one, else
/// numbers of several sizes and short texts; now and then a missing value where the model takes it.
/// </summary>
internal static class BatchProbes
{
    private const int Seed = 20_250_601;
    private const double MissingShare = 0.1;
    private static readonly double[] Sizes = [1, 1, 10, 1_000];
    private static readonly byte[][] Texts = [.. ((string[])["", "a", "B", "0", "unknown"]).Select(Encoding.UTF8.GetBytes)];

    /// <summary>Fills the inputs with the table's rows from <paramref name="first"/> on.</summary>
    public static void Fill(Workspace workspace, int first, int rows)
    {
        var violations = new Violations();
        for (var i = 0; i < workspace.Inputs.Length; i++)
        {
            var slot = workspace.Inputs[i];
            long[] shape = [rows, .. slot.Layout.Shape.AsSpan(1)];
            slot.TryBegin(violations);
            slot.TryShape(slot.Layout.Datatype.Name, shape, violations);
            var profile = workspace.Model.Profile?.Features.FirstOrDefault(f => f.Name == slot.Layout.Name);
            for (var row = first; row < first + rows; row++)
            {
                var random = new Random(unchecked((((Seed * 31) + i) * 100_003) + row));
                for (var at = 0; at < slot.Width; at++) Append(slot, profile, random);
            }
        }

        workspace.Check(violations);
    }

    private static void Append(InputSlot slot, FeatureProfile? profile, Random random)
    {
        if (slot.Layout.IsNullable && random.NextDouble() < MissingShare && slot.TryAppendMissing()) return;
        if (slot.Layout.Datatype.IsText)
        {
            slot.TryAppendText(profile is { Categories.Count: > 0 }
                ? Encoding.UTF8.GetBytes(profile.Categories.Keys.ElementAt(random.Next(profile.Categories.Count)))
                : Texts[random.Next(Texts.Length)]);
            return;
        }

        AppendNumber(slot, profile is { Values.Length: > 0 }
            ? profile.Values[random.Next(profile.Values.Length)]
            : ((2 * random.NextDouble()) - 1) * Sizes[random.Next(Sizes.Length)]);
    }

    private static void AppendNumber(InputSlot slot, double value)
    {
        switch (slot.Layout.Datatype.Element)
        {
            case TensorElementType.Float: slot.Append((float)value); break;
            case TensorElementType.Double: slot.Append(value); break;
            case TensorElementType.Float16: slot.Append((System.Half)value); break;
            case TensorElementType.BFloat16: slot.Append((ushort)(BitConverter.SingleToUInt32Bits((float)value) >> 16)); break;
            case TensorElementType.Bool: slot.Append(value > 0); break;
            case TensorElementType.Int8: slot.Append(sbyte.CreateSaturating(value)); break;
            case TensorElementType.Int16: slot.Append(short.CreateSaturating(value)); break;
            case TensorElementType.Int32: slot.Append(int.CreateSaturating(value)); break;
            case TensorElementType.Int64: slot.Append(long.CreateSaturating(value)); break;
            case TensorElementType.UInt8: slot.Append(byte.CreateSaturating(value)); break;
            case TensorElementType.UInt16: slot.Append(ushort.CreateSaturating(value)); break;
            case TensorElementType.UInt32: slot.Append(uint.CreateSaturating(value)); break;
            default: slot.Append(ulong.CreateSaturating(value)); break;
        }
    }
}
