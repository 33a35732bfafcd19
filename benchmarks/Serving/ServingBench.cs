namespace MlOps.Benchmarks.Serving;

/// <summary>
/// Inference alone, without gateway: one row and 10,000 rows a request, beside bare servers and Python's. Servers take turns, so that
/// what the machine does besides hits all alike; a ratio is the median over the turns.
/// </summary>
internal static class ServingBench
{
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
        await Soak.RunAsync(await servers.StartInferenceAsync("Inference", ct), servers.Model, minutes, ct);
    }

    private static async Task CompareWithoutLogAsync(ServerSet servers, Server ours, CancellationToken ct)
    {
        var row = servers.Model.Row;
        var silent = await servers.StartInferenceAsync("Inference, log off", ct, ("Inference__Defaults__Log__Rate", "0"));
        await AnswerCheck.RunAsync(silent, servers.Model, row, ct);
        var framed = ServedRequest.Framed(row);
        await Comparison.MeasureAsync(
            $"Prediction log on beside off, gRPC, {InFlight} in flight over {Connections} connections", [silent, ours],
            server => HttpLoad.GrpcAsync(server, framed, Connections, InFlight / Connections, ct));
    }

    /// <summary>Starts the .NET servers and says where they are: for a profiler, or load by hand.</summary>
    public static async Task HoldAsync(CancellationToken ct)
    {
        await using var servers = new ServerSet();
        var bare = await servers.StartOnnxAsync(ct);
        Server[] held =
        [
            await servers.StartInferenceAsync("Inference", ct), bare, await servers.StartProxyAsync("bare YARP", bare, ct),
            await GatewayBench.StartGatewayAsync(servers, bare, ct),
        ];
        await File.WriteAllBytesAsync("row.grpc", ServedRequest.Framed(servers.Model.Row), ct);
        await File.WriteAllTextAsync("row.json", ServedRequest.Json(servers.Model.Row), ct);
        foreach (var server in held)
        {
            await AnswerCheck.RunAsync(server, servers.Model, servers.Model.Row, ct);
            Console.WriteLine($"{server.Processes[0]} {server.Rest}{ServedRequest.RestPath} {server.Grpc}{ServedRequest.GrpcPath} {server.Name} {server.Key}");
        }

        await Task.Delay(Timeout.Infinite, ct);
    }

    private static async Task CompareWithBareAsync(ServerSet servers, Server ours, Server bare, CancellationToken ct)
    {
        var row = servers.Model.Row;
        foreach (var server in new[] { ours, bare }) await AnswerCheck.RunAsync(server, servers.Model, row, ct);
        var (framed, json) = (ServedRequest.Framed(row), ServedRequest.Json(row));
        await Comparison.MeasureAsync(
            $"One row, gRPC, {InFlight} in flight over {Connections} connections", [bare, ours],
            server => HttpLoad.GrpcAsync(server, framed, Connections, InFlight / Connections, ct));
        await Comparison.MeasureAsync(
            $"One row, REST, {InFlight} connections", [bare, ours], server => HttpLoad.RestAsync(server, json, InFlight, ct));
        await Comparison.MeasureAsync("One row, gRPC, one caller", [bare, ours], server => HttpLoad.GrpcAsync(server, framed, 1, 1, ct));
        await Comparison.MeasureAsync("One row, REST, one caller", [bare, ours], server => HttpLoad.RestAsync(server, json, 1, ct));
    }

    private static async Task CompareWithPythonAsync(ServerSet servers, Server ours, Server bare, CancellationToken ct)
    {
        var random = new Random(2);
        float[] rows = [.. Enumerable.Range(0, BatchRows * ServedModel.Features).Select(_ => random.NextSingle())];
        var (flask, fastApi) = (await servers.StartFlaskAsync(ct), await servers.StartFastApiAsync(ct));
        foreach (var server in new[] { flask, fastApi }) await AnswerCheck.RunAsync(server, servers.Model, servers.Model.Row, ct);
        foreach (var server in new[] { ours, bare, flask, fastApi }) await AnswerCheck.RunAsync(server, servers.Model, rows, ct);
        var json = ServedRequest.Json(servers.Model.Row);
        await Comparison.MeasureAsync(
            $"One row, REST, {InFlight} connections", [flask, fastApi, ours], server => HttpLoad.RestAsync(server, json, InFlight, ct));

        var (framed, wide) = (ServedRequest.Framed(rows), ServedRequest.Json(rows));
        await Comparison.MeasureAsync(
            $"{BatchRows:N0} rows, gRPC, one caller", [bare, ours], server => HttpLoad.GrpcAsync(server, framed, 1, 1, ct), BatchRows);
        await Comparison.MeasureAsync(
            $"{BatchRows:N0} rows, one caller, ours by gRPC, Python's by REST", [flask, fastApi, ours],
            server => server == ours ? HttpLoad.GrpcAsync(server, framed, 1, 1, ct) : HttpLoad.RestAsync(server, wide, 1, ct), BatchRows);
        Console.WriteLine($"  inplace_predict alone, one thread, no server: {await servers.BoosterRowsAsync(BatchRows, ct),12:N0} rows/s");
    }
}
