using System.Text;
using Microsoft.ML.OnnxRuntime.Tensors;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Profiles;
using MlOps.Numerics.Trees;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Models.Backends;

/// <summary>
/// Rows to try a version with before it is served, the same for the same version: in likely ones each value is from the
/// reference profile, in edgy ones it is a threshold of the trees, its neighbour, a category, a missing value, an extreme, or
/// anything.
/// </summary>
internal sealed class ProbeRows
{
    private static readonly double[] Extremes = [0, -0.0, 1, -1, 1e-40, 16_777_217, 1e9, -1e9, float.MaxValue, float.MinValue];
    private static readonly string[] OtherTexts = ["", "no such category"];
    private readonly TensorLayout[] _inputs;
    private readonly Dictionary<EncodedOrigin, double[]> _edges;
    private readonly Dictionary<EncodedOrigin, string[]> _categories;
    private readonly Dictionary<string, FeatureProfile> _profile;

    /// <param name="inputs">The version's.</param>
    /// <param name="profile">What they looked like in training; null: not known.</param>
    /// <param name="trees">Whose thresholds matter; null: no trees.</param>
    /// <param name="features">How the rows of the trees follow from the inputs; empty: not known.</param>
    public ProbeRows(TensorLayout[] inputs, ReferenceProfile? profile, OnnxTrees? trees = null, IReadOnlyList<EncodedFeature>? features = null)
    {
        _inputs = inputs;
        _profile = profile?.Features.GroupBy(f => f.Name).ToDictionary(f => f.Key, f => f.First()) ?? [];
        var origins = (features ?? []).Select((feature, place) => (
            Feature: feature, Place: place, Origin: new EncodedOrigin(Array.FindIndex(inputs, i => i.Name == feature.Input), feature.Element))).ToArray();
        var thresholds = ThresholdsOf(trees);
        _edges = origins.Where(o => o.Feature.Category is null).GroupBy(o => o.Origin).ToDictionary(
            o => o.Key,
            o => o.SelectMany(at => EdgesOf(at.Feature, thresholds[at.Place])).Distinct().ToArray());
        _categories = origins.Where(o => o.Feature.Category is not null).GroupBy(o => o.Origin).ToDictionary(
            o => o.Key, o => o.Select(at => at.Feature.Category ?? "").Concat(OtherTexts).ToArray());
        Edges = _edges.Values.Select(e => e.Length).DefaultIfEmpty().Max();
    }

    /// <summary>The most thresholds and neighbours that one value of a row has.</summary>
    public int Edges { get; }

    /// <summary>All thresholds of each feature of the trees, each once.</summary>
    public static ILookup<int, float> ThresholdsOf(OnnxTrees? trees) => (trees?.Targets ?? [])
        .SelectMany(target => target.Trees)
        .SelectMany(tree => Enumerable.Range(0, tree.Size).Where(node => tree.Left[node] >= 0).Select(node => (Feature: tree.Feature[node], Threshold: tree.Threshold[node])))
        .Distinct().ToLookup(split => split.Feature, split => split.Threshold);

    /// <summary>A threshold and what lies closest to it on both sides.</summary>
    public static IEnumerable<float> Around(float threshold) => [MathF.BitDecrement(threshold), threshold, MathF.BitIncrement(threshold)];

    /// <param name="rows">How many; 1 for a batch of one.</param>
    /// <param name="seed">Of the choice.</param>
    public InputSlot[] Edgy(int rows, int seed) => Fill(rows, seed, isLikely: false);

    /// <inheritdoc cref="Edgy"/>
    public InputSlot[] Likely(int rows, int seed) => Fill(rows, seed, isLikely: true);

    private InputSlot[] Fill(int rows, int seed, bool isLikely)
    {
        var random = new Random(seed);
        var violations = new Violations();
        var slots = _inputs.Select(layout => new InputSlot(layout)).ToArray();
        for (var input = 0; input < slots.Length; input++)
        {
            var (slot, layout) = (slots[input], _inputs[input]);
            slot.TryBegin(violations);
            slot.TryShape(
                layout.Datatype.Name,
                [.. layout.Shape.Select((size, dimension) => size >= 0 ? size : dimension == 0 ? rows : 1)], violations);
            var width = slot.Expected / slot.Rows;
            var columns = Enumerable.Range(0, width)
                .Select(element => ColumnOf(layout, new EncodedOrigin(input, element), width, slot.Rows, random, isLikely)).ToArray();
            for (var row = 0; row < slot.Rows; row++)
            {
                foreach (var column in columns) column(slot, row);
            }

            slot.Check(violations);
        }

        violations.ThrowIfAny("PROBE_INVALID");
        return slots;
    }

    private Action<InputSlot, int> ColumnOf(TensorLayout layout, EncodedOrigin at, int width, int rows, Random random, bool isLikely)
    {
        var profile = _profile.GetValueOrDefault(Encoding.UTF8.GetString(layout.ColumnNames(width)[at.Element]));
        if (layout.Datatype.IsText)
        {
            var texts = isLikely && profile is { Categories.Count: > 0 }
                ? [.. profile.Categories.Keys]
                : _categories.GetValueOrDefault(at) ?? [.. profile?.Categories.Keys ?? [], .. OtherTexts];
            return (slot, _) => slot.TryAppendText(Encoding.UTF8.GetBytes(texts[random.Next(texts.Length)]));
        }

        if (isLikely)
        {
            var values = profile is { Values.Length: > 0 } ? profile.Values : [0];
            return (slot, _) => Append(slot, values[random.Next(values.Length)]);
        }

        double[] edges = [.. _edges.GetValueOrDefault(at) ?? [], .. Extremes, .. profile?.Quantiles ?? []];
        var (least, most) = (edges.Where(value => Math.Abs(value) < 1e30).Min(), edges.Where(value => Math.Abs(value) < 1e30).Max());
        var order = (double[])edges.Clone();
        random.Shuffle(order);
        return (slot, row) =>
        {
            // Each edge once, as far as there are rows; then some again, some missing, and anything between.
            if (row < order.Length) Append(slot, order[row]);
            else if (random.Next(10) is var kind && kind == 0 && layout.IsNullable) Append(slot, double.NaN);
            else Append(slot, kind < 5 ? order[random.Next(order.Length)] : least + ((most - least) * random.NextDouble()));
        };
    }

    /// <summary>Raw values whose encoded ones lie at and around the thresholds, as exactly as the steps can be taken back.</summary>
    private static IEnumerable<double> EdgesOf(EncodedFeature feature, IEnumerable<float> thresholds)
    {
        foreach (var threshold in thresholds.Where(float.IsFinite))
        {
            var raw = threshold;
            foreach (var step in feature.Steps.Reverse())
            {
                if (step.Kind == EncodingStepKind.Scale) raw = (raw / step.Second) + step.First;
            }

            foreach (var value in Around(raw)) yield return value;
        }

        foreach (var step in feature.Steps)
        {
            if (step.Kind == EncodingStepKind.Impute && float.IsFinite(step.First)) yield return step.First;
        }
    }

    private static void Append(InputSlot slot, double value)
    {
        var layout = slot.Layout;
        if (double.IsNaN(value) && slot.TryAppendMissing()) return;
        if (!double.IsFinite(value)) value = 0;
        switch (layout.Datatype.Element)
        {
            case TensorElementType.Float: slot.Append(Within((float)value, float.MaxValue)); break;
            case TensorElementType.Double: slot.Append(value); break;
            case TensorElementType.Float16: slot.Append((System.Half)Within((float)value, (float)System.Half.MaxValue)); break;
            case TensorElementType.BFloat16: slot.Append((ushort)(BitConverter.SingleToUInt32Bits((float)(value / 2)) >> 16)); break;
            case TensorElementType.Bool: slot.Append((byte)(value > 0 ? 1 : 0)); break;
            case TensorElementType.Int64: slot.Append(long.CreateSaturating(value)); break;
            case TensorElementType.Int32: slot.Append(int.CreateSaturating(value)); break;
            case TensorElementType.Int16: slot.Append(short.CreateSaturating(value)); break;
            case TensorElementType.Int8: slot.Append(sbyte.CreateSaturating(value)); break;
            case TensorElementType.UInt64: slot.Append(ulong.CreateSaturating(value)); break;
            case TensorElementType.UInt32: slot.Append(uint.CreateSaturating(value)); break;
            case TensorElementType.UInt16: slot.Append(ushort.CreateSaturating(value)); break;
            case TensorElementType.UInt8: slot.Append(byte.CreateSaturating(value)); break;
            default: throw new NotSupportedException($"Input '{layout.Name}' is {layout.Datatype.Name}.");
        }
    }

    private static float Within(float value, float most) => Math.Clamp(value, -most, most);
}
