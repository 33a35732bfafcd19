using System.Buffers;
using System.Runtime.InteropServices;
using Microsoft.ML.OnnxRuntime;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Trees;

namespace MlOps.Inference.Models.Backends;

/// <summary>
/// The trees of a graph on the vectorised evaluator. What leads to them and what follows from them is computed here too
/// where it is of a known form, and by ONNX Runtime where it is not.
/// </summary>
internal sealed class TreesBackend(TreesPlan plan) : IModelBackend
{
    public const string Trees = "trees";
    private const int BlockRows = 256;
    private const int StackFloats = 512;
    private readonly TreeScorer _scorer = plan.Scorer;

    public string Name => Trees;

    public TreeScorer Scorer => _scorer;

    /// <summary>Whether the rows of the trees are raw values as they are, so that each threshold can be asked for.</summary>
    public bool IsExact => plan.Encoder is { HasSteps: false };

    /// <summary>What of the graph is left to ONNX Runtime: any of "front" and "rest".</summary>
    public string OnnxRuntimeParts =>
        string.Join(' ', new[] { plan.Front is null ? "" : "front", plan.Rest is null ? "" : "rest" }.Where(part => part.Length > 0));

    /// <summary>Bytes of the packed trees and of the parts in ONNX Runtime.</summary>
    public long BytesWith(OnnxSettings settings) => _scorer.Bytes
        + (plan.Front is { } front ? ModelMemory.OfGraph(front.ContentBytes, settings) : 0)
        + (plan.Rest is { } rest ? ModelMemory.OfGraph(rest.ContentBytes, settings) : 0);

    public void Run(ReadOnlySpan<InputSlot> inputs, ReadOnlySpan<OutputSlot> outputs)
    {
        if (plan.Front is not null)
        {
            using var made = plan.Front.Run(inputs, []);
            var design = made[0].GetTensorDataAsSpan<float>();
            Run(inputs, outputs, design, design.Length / _scorer.Features);
            return;
        }

        var encoder = plan.Encoder!; // There is one where there is no front.
        var isPlain = encoder.IsPlain;
        Run(inputs, outputs, isPlain ? MemoryMarshal.Cast<byte, float>(inputs[encoder.Origins[0].Input].Bytes) : [], encoder.RowsOf(inputs));
    }

    // An empty design is encoded block by block.
    private void Run(ReadOnlySpan<InputSlot> inputs, ReadOnlySpan<OutputSlot> outputs, ReadOnlySpan<float> design, int rows)
    {
        var count = rows * _scorer.Columns;
        // Scores lie where they are answered from, unless more is to be made of them.
        var isLent = plan.Rest is not null || plan.Scores is null;
        var lent = isLent ? ArrayPool<float>.Shared.Rent(count) : [];
        var labels = plan.NeedsLabels ? ArrayPool<int>.Shared.Rent(rows) : [];
        try
        {
            var scores = isLent ? lent.AsSpan(0, count) : Begin(outputs[plan.Scores!.Output], rows);
            Score(inputs, design, scores, plan.NeedsLabels ? labels.AsSpan(0, rows) : []);
            if (plan.Rest is not null) RunRest(plan.Rest, inputs, outputs, lent.AsMemory(0, count), labels.AsSpan(0, plan.NeedsLabels ? rows : 0));
            if (plan.Scores is { } answered)
            {
                var values = isLent ? Begin(outputs[answered.Output], rows) : scores;
                if (isLent) scores.CopyTo(values);
                ScoreLinks.Apply(answered.Link, values);
            }

            if (plan.LabelOutput >= 0) plan.Labels.Write(labels.AsSpan(0, rows), outputs[plan.LabelOutput]);
        }
        finally
        {
            if (isLent) ArrayPool<float>.Shared.Return(lent);
            if (plan.NeedsLabels) ArrayPool<int>.Shared.Return(labels);
        }
    }

    private void Score(ReadOnlySpan<InputSlot> inputs, ReadOnlySpan<float> design, Span<float> scores, Span<int> labels)
    {
        if (!design.IsEmpty)
        {
            _scorer.Score(design, scores, labels);
            return;
        }

        var (width, columns) = (_scorer.Features, _scorer.Columns);
        var rows = scores.Length / columns;
        var block = Math.Min(rows, BlockRows);
        var rented = block * width > StackFloats ? ArrayPool<float>.Shared.Rent(block * width) : null;
        Span<float> space = rented ?? stackalloc float[StackFloats];
        for (var first = 0; first < rows; first += block)
        {
            var some = Math.Min(block, rows - first);
            var encoded = space[..(some * width)];
            plan.Encoder!.Encode(inputs, first, some, encoded); // Only a front gives a design otherwise.
            _scorer.Score(encoded, scores.Slice(first * columns, some * columns), labels.IsEmpty ? labels : labels.Slice(first, some));
        }

        if (rented is not null) ArrayPool<float>.Shared.Return(rented);
    }

    private void RunRest(
        OnnxPart rest, ReadOnlySpan<InputSlot> inputs, ReadOnlySpan<OutputSlot> outputs, Memory<float> scores, ReadOnlySpan<int> labels)
    {
        using var fedScores = OrtValue.CreateTensorValueFromMemory(
            OrtMemoryInfo.DefaultInstance, scores, [scores.Length / _scorer.Columns, _scorer.Columns]);
        using var fedLabels = labels.IsEmpty ? null : plan.Labels.ToValue(labels);
        using var results = fedLabels is null ? rest.Run(inputs, [fedScores]) : rest.Run(inputs, [fedScores, fedLabels]);
        for (var i = 0; i < plan.RestOutputs.Count; i++) OrtTensors.Take(results[i], outputs[plan.RestOutputs[i]]);
    }

    private Span<float> Begin(OutputSlot output, int rows) =>
        MemoryMarshal.Cast<byte, float>(output.Begin([rows, _scorer.Columns]));

    public void Dispose()
    {
        plan.Front?.Dispose();
        plan.Rest?.Dispose();
    }
}
