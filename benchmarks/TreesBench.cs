using System.Diagnostics;
using Microsoft.ML.OnnxRuntime;
using MlOps.Numerics.Onnx;
using MlOps.Numerics.Trees;

namespace MlOps.Benchmarks;

/// <summary>
/// 200 trees of depth 6 over 10 features on one thread: our evaluator beside ONNX Runtime (one intra-op thread, the same
/// model) and the scalar reference.
/// </summary>
internal static class TreesBench
{
    private const int Trees = 200;
    private const int Depth = 6;
    private const int Features = 10;
    private const int Rows = 10_000;
    private const int Rounds = 7;
    private static readonly string[] Input = ["x"];
    private static readonly string[] Output = ["y"];
    private static readonly long RoundTicks = Stopwatch.Frequency / 4;

    public static Task RunAsync(CancellationToken ct)
    {
        var random = new Random(1);
        var ensemble = new TreeEnsemble([.. Enumerable.Range(0, Trees).Select(_ => PerfectTree.Of(Depth, Features, random))], 0.5f, Features);
        using var options = new Microsoft.ML.OnnxRuntime.SessionOptions { IntraOpNumThreads = 1, InterOpNumThreads = 1 };
        using var session = new InferenceSession(Graph(ensemble), options);
        var evaluator = new TreeEvaluator(ensemble);
        Console.WriteLine($"\n{Trees} trees, depth {Depth}, {Features} features, one thread; ours on {evaluator.Instructions}");
        // The same rows in batches of every size: a row asked again and again would be learnt by the branch predictor.
        float[] design = [.. Enumerable.Range(0, Rows * Features)
            .Select(_ => random.Next(20) == 0 ? float.NaN : random.NextSingle())];
        foreach (var rows in new[] { 1, 8, 40, 1_000, 10_000 })
            Measure(ensemble, evaluator, session, design, rows, ct);
        return Task.CompletedTask;
    }

    private static void Measure(
        TreeEnsemble ensemble, TreeEvaluator evaluator, InferenceSession session, float[] design, int rows, CancellationToken ct)
    {
        var (expected, ours, onnx) = (new float[Rows], new float[Rows], new float[Rows]);
        var batches = Enumerable.Range(0, Rows / rows).Select(i => i * rows).ToArray();
        var inputs = batches.Select(from => OrtValue.CreateTensorValueFromMemory(
            OrtMemoryInfo.DefaultInstance, design.AsMemory(from * Features, rows * Features), [rows, Features])).ToArray();
        var outputs = batches.Select(from => OrtValue.CreateTensorValueFromMemory(
            OrtMemoryInfo.DefaultInstance, onnx.AsMemory(from, rows), [rows, 1])).ToArray();
        using var run = new RunOptions();
        var ways = new Dictionary<string, Action>
        {
            ["ONNX Runtime"] = () =>
            {
                for (var i = 0; i < batches.Length; i++)
                    session.Run(run, Input, [inputs[i]], Output, [outputs[i]]);
            },
            ["scalar reference"] = () =>
            {
                foreach (var from in batches)
                    ensemble.Predict(design.AsSpan(from * Features, rows * Features), expected.AsSpan(from, rows));
            },
            ["ours"] = () =>
            {
                foreach (var from in batches)
                    evaluator.Predict(design.AsSpan(from * Features, rows * Features), ours.AsSpan(from, rows));
            },
        };
        foreach (var way in ways.Values) way();
        for (var i = 0; i < Rows; i++)
        {
            if (BitConverter.SingleToInt32Bits(expected[i]) != BitConverter.SingleToInt32Bits(ours[i])
                || !(Math.Abs(expected[i] - onnx[i]) <= 1e-6 * Math.Max(1, Math.Abs(expected[i]))))
                throw new BenchException($"Row {i}: reference {expected[i]:R}, ours {ours[i]:R}, ONNX Runtime {onnx[i]:R}");
        }

        // In turns, the best round of each: what the machine does besides hits all alike.
        var best = ways.Keys.ToDictionary(name => name, _ => 0.0);
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var (name, way) in ways)
            {
                ct.ThrowIfCancellationRequested();
                best[name] = Math.Max(best[name], RowsPerSecond(way));
            }
        }

        foreach (var value in inputs.Concat(outputs)) value.Dispose();
        Console.WriteLine($"  batches of {rows:N0}");
        foreach (var (name, perSecond) in best)
            Console.WriteLine($"    {name,-18} {perSecond,12:N0} rows/s   {perSecond / best["ONNX Runtime"],6:0.00} of ONNX Runtime");
    }

    private static double RowsPerSecond(Action predict)
    {
        var (calls, start) = (0L, Stopwatch.GetTimestamp());
        long elapsed;
        do
        {
            predict();
            calls++;
            elapsed = Stopwatch.GetTimestamp() - start;
        }
        while (elapsed < RoundTicks);
        return (double)calls * Rows * Stopwatch.Frequency / elapsed;
    }

    private static byte[] Graph(TreeEnsemble ensemble) => new GraphBuilder("trees")
        .Input("x", OnnxType.Float, Features)
        .Node("TreeEnsembleRegressor", ["x"], "y", GraphBuilder.MachineLearning, TreeAttributes.Of(ensemble))
        .Output("y", OnnxType.Float, 1)
        .Build();
}
