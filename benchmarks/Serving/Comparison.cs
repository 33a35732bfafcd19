namespace MlOps.Benchmarks.Serving;

/// <summary>Servers under the same load, one after the other.</summary>
internal static class Comparison
{
    private const int Turns = 3;

    /// <summary>
    /// Measures each server in turn, several times over, and prints each with the last one's ratios to it: medians over the turns, so
    /// that what the machine does besides hits all alike.
    /// </summary>
    public static async Task MeasureAsync(string title, Server[] servers, Func<Server, Task<Measured>> measure, int rows = 1)
    {
        Console.WriteLine($"\n{title} ({Turns} turns of {HttpLoad.Duration.TotalSeconds:0} s)");
        var results = servers.ToDictionary(s => s, _ => new List<Measured>());
        foreach (var server in servers) await measure(server);
        for (var turn = 0; turn < Turns; turn++)
        {
            foreach (var server in servers) results[server].Add(await measure(server));
        }

        var last = results[servers[^1]];
        foreach (var (server, turns) in results)
        {
            double Ratio(Func<Measured, double> of) => Median(last.Select((m, i) => of(m) / of(turns[i])));
            Console.WriteLine(
                $"  {server.Name,-28} {Median(turns.Select(m => m.PerSecond)) * rows,12:N0} {(rows == 1 ? "requests/s" : "rows/s")}" +
                $"   p50 {Median(turns.Select(m => m.Median.TotalMilliseconds)),7:0.000} ms   p99 {Median(turns.Select(m => m.P99.TotalMilliseconds)),7:0.000} ms" +
                $"   {Median(turns.Select(m => m.CpuEach.TotalMicroseconds)),8:0.0} µs of processor each");
            if (server == servers[^1]) continue;
            Console.WriteLine(
                $"      {servers[^1].Name} beside it: {Ratio(m => m.PerSecond):0.00} of its throughput, {Ratio(m => m.Median.Ticks):0.00} of its p50, " +
                $"{Ratio(m => m.P99.Ticks):0.00} of its p99, {Ratio(m => m.CpuEach.Ticks):0.00} of its processor time");
        }
    }

    private static double Median(IEnumerable<double> values)
    {
        var ordered = values.Order().ToArray();
        return ordered[ordered.Length / 2];
    }
}
