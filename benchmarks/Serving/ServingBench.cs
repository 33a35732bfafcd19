using System.Globalization;
using System.Net.Http.Headers;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json.Nodes;
using Grpc.Net.Client;
using MlOps.Contracts.OpenInference;

namespace MlOps.Benchmarks.Serving;

/// <summary>
/// Inference alone, without gateway: one row and 10,000 rows a request, beside bare servers and Python's. Servers take turns, so that
/// what the machine does besides hits all alike; a ratio is the median over the turns.
/// </summary>
internal static class ServingBench
{
    private const int Turns = 3;
    private const int InFlight = 64;
    private const int Connections = 4;
    private const int BatchRows = 10_000;

    public static async Task RunAsync(CancellationToken ct)
    {
        await using var servers = new ServerSet();
        var ours = await servers.StartInferenceAsync("Inference", ct);
        var bare = await servers.StartOnnxAsync(ct);
        await CompareWithBareAsync(servers, ours, bare, ct);
        await CompareWithoutLogAsync(servers, ours, ct);
        await CompareWithPythonAsync(servers, ours, bare, ct);
    }

    /// <summary>Full load for that long: what Inference has resident after the first minute, and from then on.</summary>
    /// <exception cref="BenchException">It grew by more than a tenth.</exception>
    public static async Task SoakAsync(int minutes, CancellationToken ct)
    {
        await using var servers = new ServerSet();
        var ours = await servers.StartInferenceAsync("Inference", ct);
        await CheckAsync(ours, servers.Model, servers.Model.Row, ct);
        var framed = ServedRequest.Framed(servers.Model.Row);
        var (first, most) = (0L, 0L);
        Console.WriteLine($"\nOne row, gRPC, {InFlight} in flight over {Connections} connections, {minutes} minutes");
        for (var minute = 1; minute <= minutes; minute++)
        {
            var rate = (await HttpLoad.GrpcAsync(ours, framed, Connections, InFlight / Connections, ct, TimeSpan.FromMinutes(1))).PerSecond;
            var resident = ProcessCost.ResidentBytesOf(ours.Process);
            if (minute == 1) first = resident;
            most = Math.Max(most, resident);
            Console.WriteLine($"  minute {minute,3}: {rate,9:N0} requests/s, {resident / 1048576.0,7:N1} MiB resident, {(double)resident / first:0.00} of the first minute's");
        }

        if (most > first * 1.1) throw new BenchException($"Resident memory grew by {(double)most / first:0.00} after the first minute.");
    }

    private static async Task CompareWithoutLogAsync(ServerSet servers, Server ours, CancellationToken ct)
    {
        var row = servers.Model.Row;
        var silent = await servers.StartInferenceAsync("Inference, log off", ct, ("Inference__Defaults__Log__Rate", "0"));
        await CheckAsync(silent, servers.Model, row, ct);
        var framed = ServedRequest.Framed(row);
        await MeasureAsync(
            $"Prediction log on beside off, gRPC, {InFlight} in flight over {Connections} connections", [silent, ours],
            server => HttpLoad.GrpcAsync(server, framed, Connections, InFlight / Connections, ct));
    }

    /// <summary>Starts the two .NET servers and says where they are: for a profiler, or load by hand.</summary>
    public static async Task HoldAsync(CancellationToken ct)
    {
        await using var servers = new ServerSet();
        foreach (var server in new[] { await servers.StartInferenceAsync("Inference", ct), await servers.StartOnnxAsync(ct) })
        {
            await CheckAsync(server, servers.Model, servers.Model.Row, ct);
            Console.WriteLine($"{server.Process} {server.Rest}{ServedRequest.RestPath} {server.Grpc}{ServedRequest.GrpcPath} {server.Name}");
        }

        await File.WriteAllBytesAsync("row.grpc", ServedRequest.Framed(servers.Model.Row), ct);
        await File.WriteAllTextAsync("row.json", ServedRequest.Json(servers.Model.Row), ct);
        await Task.Delay(Timeout.Infinite, ct);
    }

    private static async Task CompareWithBareAsync(ServerSet servers, Server ours, Server bare, CancellationToken ct)
    {
        var row = servers.Model.Row;
        foreach (var server in new[] { ours, bare }) await CheckAsync(server, servers.Model, row, ct);
        var (framed, json) = (ServedRequest.Framed(row), ServedRequest.Json(row));
        await MeasureAsync(
            $"One row, gRPC, {InFlight} in flight over {Connections} connections", [bare, ours],
            server => HttpLoad.GrpcAsync(server, framed, Connections, InFlight / Connections, ct));
        await MeasureAsync(
            $"One row, REST, {InFlight} connections", [bare, ours], server => HttpLoad.RestAsync(server, json, InFlight, ct));
        await MeasureAsync("One row, gRPC, one caller", [bare, ours], server => HttpLoad.GrpcAsync(server, framed, 1, 1, ct));
        await MeasureAsync("One row, REST, one caller", [bare, ours], server => HttpLoad.RestAsync(server, json, 1, ct));
    }

    private static async Task CompareWithPythonAsync(ServerSet servers, Server ours, Server bare, CancellationToken ct)
    {
        var random = new Random(2);
        float[] rows = [.. Enumerable.Range(0, BatchRows * ServedModel.Features).Select(_ => random.NextSingle())];
        var (flask, fastApi) = (await servers.StartFlaskAsync(ct), await servers.StartFastApiAsync(ct));
        foreach (var server in new[] { flask, fastApi }) await CheckAsync(server, servers.Model, servers.Model.Row, ct);
        foreach (var server in new[] { ours, bare, flask, fastApi }) await CheckAsync(server, servers.Model, rows, ct);
        var json = ServedRequest.Json(servers.Model.Row);
        await MeasureAsync(
            $"One row, REST, {InFlight} connections", [flask, fastApi, ours], server => HttpLoad.RestAsync(server, json, InFlight, ct));

        var (framed, wide) = (ServedRequest.Framed(rows), ServedRequest.Json(rows));
        await MeasureAsync(
            $"{BatchRows:N0} rows, gRPC, one caller", [bare, ours], server => HttpLoad.GrpcAsync(server, framed, 1, 1, ct), BatchRows);
        await MeasureAsync(
            $"{BatchRows:N0} rows, one caller, ours by gRPC, Python's by REST", [flask, fastApi, ours],
            server => server == ours ? HttpLoad.GrpcAsync(server, framed, 1, 1, ct) : HttpLoad.RestAsync(server, wide, 1, ct), BatchRows);
        Console.WriteLine($"  inplace_predict alone, one thread, no server: {await servers.BoosterRowsAsync(BatchRows, ct),12:N0} rows/s");
    }

    private static async Task MeasureAsync(string title, Server[] servers, Func<Server, Task<Measured>> measure, int rows = 1)
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

    // XGBoost and ours add in the reference's order; ONNX Runtime adds the base score last.
    private static async Task CheckAsync(Server server, ServedModel model, float[] rows, CancellationToken ct)
    {
        var expected = model.Predict(rows);
        using var http = new HttpClient();
        using var content = new ByteArrayContent(Encoding.UTF8.GetBytes(ServedRequest.Json(rows)));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        using var answer = await http.PostAsync(new Uri(server.Rest + ServedRequest.RestPath), content, ct);
        var text = await answer.Content.ReadAsStringAsync(ct);
        if (!answer.IsSuccessStatusCode) throw new BenchException($"{server.Name} says {text}");
        var values = JsonNode.Parse(text)?["outputs"]?[0]?["data"] as JsonArray ?? throw new BenchException($"{server.Name} says {text}");
        Check(server, expected, [.. values.Select(v => float.Parse(v?.ToJsonString() ?? "", CultureInfo.InvariantCulture))]);
        if (server.Grpc.Length == 0) return;
        using var channel = GrpcChannel.ForAddress(server.Grpc);
        var byGrpc = await new GRPCInferenceService.GRPCInferenceServiceClient(channel).ModelInferAsync(
            ServedRequest.Message(rows), cancellationToken: ct);
        Check(server, expected, MemoryMarshal.Cast<byte, float>(byGrpc.RawOutputContents[0].Span));
    }

    private static void Check(Server server, float[] expected, ReadOnlySpan<float> actual)
    {
        if (actual.Length != expected.Length) throw new BenchException($"{server.Name} answers {actual.Length} predictions, not {expected.Length}");
        for (var i = 0; i < expected.Length; i++)
        {
            if (!(Math.Abs(actual[i] - expected[i]) <= 1e-5 * Math.Max(1, Math.Abs(expected[i]))))
                throw new BenchException($"{server.Name} predicts {actual[i]:R} for row {i}, the reference {expected[i]:R}");
        }
    }
}
