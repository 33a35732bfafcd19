using System.Text.Json;

namespace MlOps.Benchmarks.Serving;

/// <summary>
/// The gateway as it runs in production: callers show a key and have a rate limit, a policy splits the model's traffic, everything is
/// counted. First the hop alone, beside bare YARP to the same server; then the whole path to Inference, beside what stands in its place.
/// </summary>
internal static class GatewayBench
{
    private const int InFlight = 64;
    private const int Connections = 4;
    private const int Policies = 10_000;
    private const int Arms = 20;

    public static async Task RunAsync(CancellationToken ct)
    {
        await CompareHopAsync(ct);
        await ComparePathAsync(ct);
    }

    public static Task<Server> StartGatewayAsync(ServerSet servers, Server behind, CancellationToken ct) =>
        servers.StartGatewayAsync("gateway", behind, PolicyFile(policies: 1, arms: 2), ct);

    private static async Task CompareHopAsync(CancellationToken ct)
    {
        await using var servers = new ServerSet();
        var bare = await servers.StartOnnxAsync(ct);
        var proxy = await servers.StartProxyAsync("bare YARP", bare, ct);
        var gateway = await StartGatewayAsync(servers, bare, ct);
        await CompareAsync("to the same bare server", servers, [proxy, gateway], ct);
        var crowded = await servers.StartGatewayAsync($"gateway, {Policies:N0} policies", bare, PolicyFile(Policies, Arms), ct);
        await CompareAsync($"{Policies:N0} policies, ours of {Arms} arms, beside one", servers, [gateway, crowded], ct);
    }

    private static async Task ComparePathAsync(CancellationToken ct)
    {
        await using var servers = new ServerSet();
        var gateway = await StartPathAsync(servers, ct);
        var bare = await servers.StartOnnxAsync(ct);
        await CompareAsync(
            "the whole path", servers, [await servers.StartProxyAsync("bare YARP + ONNX Runtime", bare, ct), gateway], ct);
        Server[] python = [await servers.StartFlaskAsync(ct), await servers.StartFastApiAsync(ct)];
        foreach (var server in python) await AnswerCheck.RunAsync(server, servers.Model, servers.Model.Row, ct);
        var (framed, json) = (ServedRequest.Framed(servers.Model.Row), ServedRequest.Json(servers.Model.Row));
        await Comparison.MeasureAsync(
            $"One row, ours by gRPC over {Connections} connections, Python's by REST, {InFlight} in flight", [.. python, gateway],
            server => server == gateway
                ? HttpLoad.GrpcAsync(server, framed, Connections, InFlight / Connections, ct)
                : HttpLoad.RestAsync(server, json, InFlight, ct));
        await Comparison.MeasureAsync(
            $"One row, REST, {InFlight} connections", [.. python, gateway], server => HttpLoad.RestAsync(server, json, InFlight, ct));
        await Comparison.MeasureAsync("One row, REST, one caller", [.. python, gateway], server => HttpLoad.RestAsync(server, json, 1, ct));
    }

    /// <summary>Full load for that long: what gateway and Inference have resident after the first minute, and from then on.</summary>
    /// <exception cref="BenchException">One of them grew by more than a tenth.</exception>
    public static async Task SoakAsync(int minutes, CancellationToken ct)
    {
        await using var servers = new ServerSet();
        await Soak.RunAsync(await StartPathAsync(servers, ct), servers.Model, minutes, ct);
    }

    private static async Task<Server> StartPathAsync(ServerSet servers, CancellationToken ct) => await servers.StartGatewayAsync(
        "gateway + Inference", await servers.StartInferenceAsync("Inference", ct), PolicyFile(policies: 1, arms: 2), ct);

    private static async Task CompareAsync(string title, ServerSet servers, Server[] compared, CancellationToken ct)
    {
        foreach (var server in compared) await AnswerCheck.RunAsync(server, servers.Model, servers.Model.Row, ct);
        var (framed, json) = (ServedRequest.Framed(servers.Model.Row), ServedRequest.Json(servers.Model.Row));
        await Comparison.MeasureAsync(
            $"gRPC, {InFlight} in flight over {Connections} connections, {title}", compared,
            server => HttpLoad.GrpcAsync(server, framed, Connections, InFlight / Connections, ct));
        await Comparison.MeasureAsync(
            $"REST, {InFlight} connections, {title}", compared, server => HttpLoad.RestAsync(server, json, InFlight, ct));
        await Comparison.MeasureAsync($"gRPC, one caller, {title}", compared, server => HttpLoad.GrpcAsync(server, framed, 1, 1, ct));
        await Comparison.MeasureAsync($"REST, one caller, {title}", compared, server => HttpLoad.RestAsync(server, json, 1, ct));
    }

    // The served model's policy first; every arm leads to the one version there is.
    private static string PolicyFile(int policies, int arms) => JsonSerializer.Serialize(new
    {
        policies = Enumerable.Range(0, policies).Select(i => i == 0 ? Policy(ServedModel.Name, arms) : Policy($"model-{i}", arms: 2)),
    });

    private static object Policy(string model, int arms) =>
        new { model, arms = Enumerable.Range(0, arms).Select(arm => new { name = $"arm-{arm}", version = "1", weight = 1.0 / arms }) };
}
