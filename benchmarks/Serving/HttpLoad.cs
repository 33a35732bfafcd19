using System.Diagnostics;
using System.Globalization;
using System.Text.RegularExpressions;

namespace MlOps.Benchmarks.Serving;

/// <summary>Requests a second, the time to answer, and what each cost its server in processor time.</summary>
internal sealed record Measured(double PerSecond, TimeSpan Median, TimeSpan P99, TimeSpan CpuEach);

/// <summary>
/// Load from h2load (gRPC) and wrk (REST), in a closed loop: they take a fraction of the cores that a .NET client would take
/// from the server.
/// </summary>
internal static partial class HttpLoad
{
    public static readonly TimeSpan Duration =
        TimeSpan.FromSeconds(int.Parse(Environment.GetEnvironmentVariable("MLOPS_BENCH_SECONDS") ?? "5", null));

    public static async Task<Measured> GrpcAsync(
        Server server, byte[] framed, int connections, int streams, CancellationToken ct, TimeSpan? duration = null)
    {
        var (body, log) = (Path.GetTempFileName(), Path.GetTempFileName());
        try
        {
            await File.WriteAllBytesAsync(body, framed, ct);
            var before = ProcessCost.CpuOf(server.Processes);
            var output = await RunAsync(
                "h2load",
                [
                    "-t1", $"-c{connections}", $"-m{streams}", "-D", Seconds(duration), "-d", body, "--log-file", log,
                    "-H", "content-type: application/grpc", "-H", "te: trailers",
                    .. server.Key.Length > 0 ? ["-H", $"x-api-key: {server.Key}"] : Array.Empty<string>(),
                    server.Grpc + ServedRequest.GrpcPath,
                ], ct);
            var cpu = ProcessCost.CpuOf(server.Processes) - before;
            var failed = H2Failed().Match(output);
            if (!failed.Success || failed.Groups[1].Value != "0") throw new BenchException($"{server.Name}: h2load says\n{output}");
            // 1785421123456789 TAB 200 TAB 812, times in µs; the status is that of HTTP.
            var micros = (await File.ReadAllLinesAsync(log, ct)).Select(line => long.Parse(line.AsSpan(line.LastIndexOf('\t') + 1), null))
                .Order().ToArray();
            return new Measured(
                micros.Length / (duration ?? Duration).TotalSeconds, TimeSpan.FromMicroseconds(micros[micros.Length / 2]),
                TimeSpan.FromMicroseconds(micros[(int)(micros.LongLength * 99 / 100)]), cpu / micros.Length);
        }
        finally
        {
            File.Delete(body);
            File.Delete(log);
        }
    }

    public static async Task<Measured> RestAsync(
        Server server, string json, int connections, CancellationToken ct, TimeSpan? duration = null)
    {
        var script = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(script, $"""
                wrk.method = "POST"
                wrk.headers["Content-Type"] = "application/json"
                {(server.Key.Length > 0 ? $"""wrk.headers["x-api-key"] = "{server.Key}" """ : "")}
                wrk.body = [[{json}]]
                """, ct);
            var before = ProcessCost.CpuOf(server.Processes);
            var output = await RunAsync(
                "wrk",
                [
                    "-t1", $"-c{connections}", $"-d{Seconds(duration)}s", "--latency", "--timeout", "20s", "-s", script,
                    server.Rest + ServedRequest.RestPath,
                ], ct);
            var cpu = ProcessCost.CpuOf(server.Processes) - before;
            if (WrkFailed().IsMatch(output)) throw new BenchException($"{server.Name}: wrk says\n{output}");
            var requests = double.Parse(WrkRequests().Match(output).Groups[1].Value, CultureInfo.InvariantCulture);
            return new Measured(
                double.Parse(WrkRate().Match(output).Groups[1].Value, CultureInfo.InvariantCulture),
                TimeOf(output, "50%"), TimeOf(output, "99%"), cpu / requests);
        }
        finally
        {
            File.Delete(script);
        }
    }

    private static string Seconds(TimeSpan? duration) => (duration ?? Duration).TotalSeconds.ToString("0", CultureInfo.InvariantCulture);

    private static async Task<string> RunAsync(string program, string[] arguments, CancellationToken ct)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start) ?? throw new BenchException($"{program} did not start.");
        try
        {
            var error = process.StandardError.ReadToEndAsync(ct);
            var output = await process.StandardOutput.ReadToEndAsync(ct);
            await process.WaitForExitAsync(ct);
            return process.ExitCode == 0 ? output : throw new BenchException($"{program}: {output}{await error}");
        }
        finally
        {
            if (!process.HasExited) process.Kill();
        }
    }

    // "     99%    2.10ms", in us, ms or s.
    private static TimeSpan TimeOf(string output, string percentile)
    {
        var match = Regex.Match(output, $@"^\s+{percentile}\s+([\d.]+)(us|ms|s|m)\s*$", RegexOptions.Multiline);
        var value = double.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture);
        return match.Groups[2].Value switch
        {
            "us" => TimeSpan.FromMicroseconds(value),
            "ms" => TimeSpan.FromMilliseconds(value),
            "s" => TimeSpan.FromSeconds(value),
            _ => TimeSpan.FromMinutes(value),
        };
    }

    // requests: 1000 total, 1000 started, 1000 done, 1000 succeeded, 0 failed, 0 errored, 0 timeout
    [GeneratedRegex(@"(\d+) failed, 0 errored, 0 timeout")]
    private static partial Regex H2Failed();

    [GeneratedRegex(@"Non-2xx|Socket errors")]
    private static partial Regex WrkFailed();

    [GeneratedRegex(@"(\d+) requests in")]
    private static partial Regex WrkRequests();

    [GeneratedRegex(@"Requests/sec:\s+([\d.]+)")]
    private static partial Regex WrkRate();
}
