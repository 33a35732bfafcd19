using System.Diagnostics;

namespace MlOps.Benchmarks;

/// <summary>A closed loop: each caller sends its next request when the last one is answered.</summary>
internal static class Load
{
    private static readonly TimeSpan Duration =
        TimeSpan.FromSeconds(int.Parse(Environment.GetEnvironmentVariable("MLOPS_BENCH_SECONDS") ?? "5", null));

    private static readonly int Callers = int.Parse(Environment.GetEnvironmentVariable("MLOPS_BENCH_CALLERS") ?? "16", null);

    /// <summary>Requests a second; median and 99th percentile of the time to answer.</summary>
    public sealed record Result(string Name, double PerSecond, TimeSpan Median, TimeSpan P99);

    public static async Task<Result> MeasureAsync(string name, Func<Task> request, CancellationToken ct)
    {
        await RunAsync(request, Duration / 2, ct);
        var latencies = await RunAsync(request, Duration, ct);
        var all = latencies.SelectMany(l => l).Order().ToArray();
        return new Result(
            name, all.Length / Duration.TotalSeconds,
            Stopwatch.GetElapsedTime(0, all[all.Length / 2]), Stopwatch.GetElapsedTime(0, all[all.Length * 99 / 100]));
    }

    /// <summary>One line per result, each with its share of the first.</summary>
    public static void Print(string title, IReadOnlyList<Result> results)
    {
        Console.WriteLine($"\n{title} ({Callers} in flight, {Duration.TotalSeconds:0} s each)");
        foreach (var r in results)
        {
            Console.WriteLine(
                $"  {r.Name,-52} {r.PerSecond,9:N0}/s   p50 {r.Median.TotalMilliseconds,7:0.00} ms   p99 {r.P99.TotalMilliseconds,7:0.00} ms   {r.PerSecond / results[0].PerSecond,5:0.00} of the first");
        }
    }

    private static Task<List<long>[]> RunAsync(Func<Task> request, TimeSpan duration, CancellationToken ct)
    {
        var end = Stopwatch.GetTimestamp() + (long)(duration.TotalSeconds * Stopwatch.Frequency);
        return Task.WhenAll(Enumerable.Range(0, Callers).Select(_ => Task.Run(async () =>
        {
            var latencies = new List<long>(1 << 16);
            for (var start = Stopwatch.GetTimestamp(); start < end; start = Stopwatch.GetTimestamp())
            {
                ct.ThrowIfCancellationRequested();
                await request();
                latencies.Add(Stopwatch.GetTimestamp() - start);
            }

            return latencies;
        }, ct)));
    }
}
