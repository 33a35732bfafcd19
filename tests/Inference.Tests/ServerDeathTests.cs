using System.Collections.Concurrent;
using Google.Protobuf;
using Grpc.Core;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Tables.V1;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

/// <summary>kill -9 of Redis and RabbitMQ under load: what was answered is in the log, once, and what can go on goes on.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class ServerDeathTests(InferenceFixture fixture, PostgresDatabase<ServerDeathTests> database)
    : IClassFixture<PostgresDatabase<ServerDeathTests>>
{
    private const int Callers = 4;
    private const int Many = 100;
    private static readonly TimeSpan Deadline = TimeSpan.FromMinutes(2);

    [ServerFact]
    public async Task Redis_killed_under_load_costs_only_requests_that_need_it_and_the_log_matches_what_was_answered()
    {
        await using var redis = await OwnServer.StartRedisAsync();
        await using var features = await StartFeaturesAsync(redis);
        var prefix = InferenceFixture.NewName("death");
        await using var log = await LoggedPredictions.ListenAsync(prefix);
        await using var replica = await fixture.StartInferenceAsync(
            fixture.NewFolder("death"), prefix, null, ("services__featurestore__grpc__0", features.Grpc.ToString()));
        var model = await fixture.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature, "hours");
        var entities = new InferenceService.InferenceServiceClient(fixture.Channel(replica.Grpc));
        var tensors = new GRPCInferenceService.GRPCInferenceServiceClient(fixture.Channel(replica.Grpc));
        using var stop = new CancellationTokenSource();
        Tally byEntity = new(), whole = new();
        byEntity.Answered.Add((await entities.PredictAsync(ByEntity(model))).PredictionId);
        Task[] load =
        [
            .. Enumerable.Range(0, Callers).Select(_ => Task.Run(() => AskAsync(
                byEntity, async () => (await entities.PredictAsync(ByEntity(model))).PredictionId, stop.Token))),
            .. Enumerable.Range(0, Callers).Select(_ => Task.Run(() => AskAsync(
                whole, async () => (await tensors.ModelInferAsync(Whole(model))).Parameters["prediction_id"].StringParam, stop.Token))),
        ];

        await Eventually.Async(() => byEntity.Answered.Count > Many && whole.Answered.Count > Many, Deadline, "predictions are answered");
        await redis.KillAsync();
        await Eventually.Async(() => !byEntity.Refused.IsEmpty, Deadline, "the store is missed");
        var before = whole.Answered.Count;
        await Eventually.Async(() => byEntity.Refused.Count > Callers && whole.Answered.Count > before + Many, Deadline, "the others go on");
        await redis.StartAgainAsync();
        before = byEntity.Answered.Count;
        await Eventually.Async(() => byEntity.Answered.Count > before + Many, Deadline, "the store is back, without anybody doing anything");
        await stop.CancelAsync();
        await Task.WhenAll(load);

        Assert.Empty(whole.Refused);
        Assert.All(byEntity.Refused, status => Assert.True(status is StatusCode.Unavailable or StatusCode.DeadlineExceeded, $"{status}"));
        string[] answered = [.. byEntity.Answered, .. whole.Answered];
        await Eventually.Async(() => log.Ids.Count >= answered.Length + byEntity.Refused.Count, Deadline, "all are in the log");
        Assert.Equal(answered.Order(), log.Records.Where(r => r.Failure.Length == 0).Select(Id).Order());
        Assert.Equal(byEntity.Refused.Count, log.Records.Count(r => r.Failure.Length > 0));
        Assert.False(log.HasContradiction);
    }

    [ServerFact]
    public async Task RabbitMQ_killed_under_load_costs_no_request_and_the_log_matches_what_was_answered()
    {
        await using var broker = await OwnServer.StartRabbitMqAsync();
        var prefix = InferenceFixture.NewName("death");
        await using var log = await LoggedPredictions.ListenAsync(prefix, broker.Address);
        await using var replica = await fixture.StartInferenceAsync(fixture.NewFolder("death"), prefix, broker.Address);
        var model = await fixture.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        var tensors = new GRPCInferenceService.GRPCInferenceServiceClient(fixture.Channel(replica.Grpc));
        using var stop = new CancellationTokenSource();
        var tally = new Tally();
        Task[] load =
        [
            .. Enumerable.Range(0, Callers).Select(_ => Task.Run(() => AskAsync(
                tally, async () => (await tensors.ModelInferAsync(Whole(model))).Parameters["prediction_id"].StringParam, stop.Token))),
        ];

        await Eventually.Async(() => log.Ids.Count > Many, Deadline, "predictions reach the log");
        await broker.KillAsync();
        var before = tally.Answered.Count;
        await Eventually.Async(() => tally.Answered.Count > before + (5 * Many), Deadline, "predictions go on");
        await broker.StartAgainAsync();
        before = log.Ids.Count;
        await Eventually.Async(() => log.Ids.Count > before + (5 * Many), Deadline, "the log flows again");
        await stop.CancelAsync();
        await Task.WhenAll(load);

        Assert.Empty(tally.Refused);
        await Eventually.Async(() => log.Ids.Count >= tally.Answered.Count, Deadline, "all are in the log");
        Assert.Equal(tally.Answered.Order(), log.Ids.Order());
        Assert.False(log.HasContradiction);
    }

    private async Task<ServiceProcess> StartFeaturesAsync(OwnServer redis)
    {
        var features = await ServiceProcess.StartAsync("FeatureStore", new Dictionary<string, string?>
        {
            ["ConnectionStrings__featuresdb"] = database.ConnectionString,
            ["ConnectionStrings__redis"] = redis.Address,
            ["ConnectionStrings__rabbitmq"] = Servers.RabbitMq,
            ["Bus__Prefix"] = fixture.BusPrefix,
            ["Storage__Folder"] = fixture.NewFolder("features"),
        });
        var client = new FeatureStoreService.FeatureStoreServiceClient(fixture.Channel(features.Grpc));
        await client.ApplyAsync(new ApplyRequest
        {
            Entities = { new Entity { Name = "airport", JoinKeys = { "airport" } } },
            FeatureViews =
            {
                new FeatureView
                {
                    Name = "airport_hours", Entity = "airport", EventTimeColumn = "at",
                    Schema = { new Field { Name = "hour", Type = ColumnType.Double } },
                },
            },
            FeatureServices =
            {
                new FeatureService
                {
                    Name = "hours",
                    Selections = { new FeatureSelection { FeatureView = "airport_hours", EntityColumns = { ["airport"] = "origin" } } },
                },
            },
        });
        using var ingest = client.Ingest();
        await ingest.RequestStream.WriteAsync(new IngestRequest { Header = new() { FeatureView = "airport_hours", Source = "a.csv" } });
        await ingest.RequestStream.WriteAsync(new IngestRequest { Csv = ByteString.CopyFromUtf8("airport,at,hour\nATL,2001-01-01T00:00:00Z,8\n") });
        await ingest.RequestStream.CompleteAsync();
        await ingest;
        await client.MaterializeAsync(new MaterializeRequest { FeatureViews = { "airport_hours" } });
        return features;
    }

    private static async Task AskAsync(Tally tally, Func<Task<string>> ask, CancellationToken stopped)
    {
        while (!stopped.IsCancellationRequested)
        {
            try
            {
                tally.Answered.Add(await ask());
            }
            catch (RpcException e)
            {
                tally.Refused.Add(e.StatusCode);
            }
        }
    }

    private static PredictRequest ByEntity(string model) => new()
    {
        Model = model,
        Rows = new Table
        {
            Columns =
            {
                new Column { Name = "distance", Doubles = new DoubleValues { Values = { 100 } } },
                new Column { Name = "origin", Texts = new TextValues { Values = { "ATL" } } },
            },
        },
    };

    private static ModelInferRequest Whole(string model) => Tensor.ToRequest(
        model, isRaw: false, [Tensor.Fp32("distance", 100), Tensor.Fp32("hour", 8), Tensor.Bytes("origin", "ATL")]);

    private static string Id(Contracts.Monitoring.V1.PredictionRecord record) => Convert.ToHexStringLower(record.PredictionId.Span);

    private sealed class Tally
    {
        public ConcurrentBag<string> Answered { get; } = [];

        public ConcurrentBag<StatusCode> Refused { get; } = [];
    }
}
