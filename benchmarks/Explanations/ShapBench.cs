using System.Diagnostics;
using MlOps.Benchmarks.Peers;
using MlOps.Numerics.Explanations;
using MlOps.Numerics.Trees;

namespace MlOps.Benchmarks.Explanations;

/// <summary>
/// Exact SHAP values of XGBoost's own model on one thread: our TreeSHAP in double beside the library's contributions in
/// float32.
/// </summary>
internal static class ShapBench
{
    private const int Trees = 200;
    private const int Depth = 6;
    private const int Features = 10;
    private const int TrainingRows = 20_000;
    private const int Rounds = 5;
    private const string Library = "XGBoost";
    private static readonly long RoundTicks = Stopwatch.Frequency / 2;

    public static Task RunAsync(CancellationToken ct)
    {
        var random = new Random(1);
        var design = Design(random, TrainingRows);
        using var peer = new XgboostPeer(design, Labels(random, design), Trees, Depth);
        var ensemble = TreeEnsemble.FromXgboostJson(peer.SaveJson());
        var started = Stopwatch.GetTimestamp();
        var shap = new TreeShap(ensemble);
        var tables = Stopwatch.GetElapsedTime(started);
        var walked = new TreeShap(ensemble, mostTableBytes: 0);
        Console.WriteLine($"\nSHAP values of {Trees} trees of depth {Depth} over {Features} features, one thread; tables made in {tables.TotalMilliseconds:N0} ms");
        foreach (var rows in new[] { 1, 100, 1_000 }) Measure(peer, shap, walked, Design(random, rows), rows, ct);
        return Task.CompletedTask;
    }

    private static void Measure(XgboostPeer peer, TreeShap shap, TreeShap walked, float[] design, int rows, CancellationToken ct)
    {
        var theirs = new float[rows * (Features + 1)];
        var ours = new double[rows * Features];
        var bias = 0.0;
        var ways = new Dictionary<string, Action>
        {
            [Library] = () => peer.Contributions(design, rows, theirs),
            ["ours"] = () => bias = shap.Explain(design, ours),
            ["ours, walked"] = () => walked.Explain(design, ours),
        };
        foreach (var way in ways.Values) way();
        for (var row = 0; row < rows; row++)
        {
            for (var feature = 0; feature <= Features; feature++)
            {
                var (their, our) = (theirs[row * (Features + 1) + feature], feature == Features ? bias : ours[row * Features + feature]);
                if (!(Math.Abs(their - our) <= 1e-3)) throw new BenchException($"Row {row}, feature {feature}: XGBoost {their:R}, ours {our:R}");
            }
        }

        var best = ways.Keys.ToDictionary(name => name, _ => 0.0);
        for (var round = 0; round < Rounds; round++)
        {
            foreach (var (name, way) in ways)
            {
                ct.ThrowIfCancellationRequested();
                best[name] = Math.Max(best[name], RowsPerSecond(way, rows));
            }
        }

        Console.WriteLine($"  batches of {rows:N0}");
        foreach (var (name, perSecond) in best)
            Console.WriteLine($"    {name,-18} {perSecond,12:N0} rows/s   {perSecond / best[Library],6:0.00} of {Library}");
    }

    private static double RowsPerSecond(Action explain, int rows)
    {
        var (calls, start) = (0L, Stopwatch.GetTimestamp());
        long elapsed;
        do
        {
            explain();
            calls++;
            elapsed = Stopwatch.GetTimestamp() - start;
        }
        while (elapsed < RoundTicks);
        return (double)calls * rows * Stopwatch.Frequency / elapsed;
    }

    private static float[] Design(Random random, int rows) =>
        [.. Enumerable.Range(0, rows * Features).Select(_ => random.Next(20) == 0 ? float.NaN : random.NextSingle())];

    // All features matter, alone and in pairs, so that trees grow to their full depth.
    private static float[] Labels(Random random, float[] design) =>
        [.. design.Chunk(Features).Select(row => (float)row.Select((value, i) =>
            float.IsNaN(value) ? 0.5 : Math.Sin(3 * value + i) + value * (float.IsNaN(row[(i + 1) % Features]) ? 1 : row[(i + 1) % Features])).Sum()
            + random.NextSingle() / 4)];
}
