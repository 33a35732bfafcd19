using System.Diagnostics;
using MlOps.Benchmarks.Peers;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using StackExchange.Redis;

namespace MlOps.Benchmarks;

/// <summary>
/// The features of one flight (two views, two airports: four keys) through the gateway, beside the same four keys read
/// from a Redis of its own with nothing in between.
/// </summary>
internal static class OnlineFeaturesBench
{
    private const int ValueSize = 40;

    public static async Task RunAsync(CancellationToken ct)
    {
        var folder = Directory.CreateTempSubdirectory("mlops-bench-").FullName;
        var port = PeerProcess.FreePort();
        var start = new ProcessStartInfo("redis-server", ["--port", $"{port}", "--bind", "127.0.0.1", "--save", "", "--dir", folder])
        {
            RedirectStandardOutput = true,
        };
        using var server = await PeerProcess.StartAsync(start, port, ct);
        using var redis = await ConnectionMultiplexer.ConnectAsync($"127.0.0.1:{port}");
        var database = redis.GetDatabase();
        RedisKey[] keys = ["positions:ATL", "positions:LAX", "delays:ATL", "delays:LAX"];
        foreach (var key in keys) await database.StringSetAsync(key, new byte[ValueSize]);

        using var channel = Gateway.Channel(Gateway.Grpc);
        var features = new FeatureStoreService.FeatureStoreServiceClient(channel);
        var request = new GetOnlineFeaturesRequest
        {
            FeatureService = "flight_delay",
            Entities = new Table
            {
                Columns =
                {
                    new Column { Name = "origin", Texts = new TextValues { Values = { "ATL" } } },
                    new Column { Name = "destination", Texts = new TextValues { Values = { "LAX" } } },
                },
            },
        };
        var answer = await features.GetOnlineFeaturesAsync(request, cancellationToken: ct);
        if (answer.Statuses.Any(s => s.Statuses[0] != FeatureStatus.Present)) throw new BenchException("ATL or LAX is not in the online store");

        Load.Print("Online features of one flight, four keys",
        [
            await Load.MeasureAsync("raw Redis, one MGET", async () => await database.StringGetAsync(keys), ct),
            await Load.MeasureAsync("gateway → FeatureStore → Redis", async () => await features.GetOnlineFeaturesAsync(request, cancellationToken: ct), ct),
        ]);
        Directory.Delete(folder, recursive: true);
    }
}
