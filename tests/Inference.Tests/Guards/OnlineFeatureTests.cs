using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.Guards;

/// <summary>Predictions by entity beside the built feature store and a real Redis.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class OnlineFeatureTests(InferenceFixture services, PostgresDatabase<OnlineFeatureTests> postgres, RedisDatabase<OnlineFeatureTests> redis)
    : IClassFixture<PostgresDatabase<OnlineFeatureTests>>, IClassFixture<RedisDatabase<OnlineFeatureTests>>
{
    private const string Service = "delay_features";

    [ServerFact]
    public async Task Two_views_and_many_rows_are_one_round_trip_and_a_versions_own_feature_service()
    {
        await using var store = await StartStoreAsync();
        var features = new FeatureStoreService.FeatureStoreServiceClient(services.Channel(store.Grpc));
        await DefineAsync(features);
        await using var replica = await services.StartInferenceAsync(
            services.NewFolder("online"), InferenceFixture.NewName("online"), more: ("services__featurestore__grpc__0", store.Grpc.ToString()));
        var client = new InferenceService.InferenceServiceClient(services.Channel(replica.Grpc));
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature, Service);
        await services.RegisterAsync(model, Graphs.Delay(), Graphs.DelaySignature, "later_features");
        // What is asked once, by a connection that opens, is asked before.
        await client.PredictAsync(new PredictRequest { Model = model, Version = "1", Rows = new Table { Columns = { Texts("origin", "ATL") } } });

        PredictResponse answer;
        string[] commands;
        await using (var monitor = await RedisMonitor.StartAsync(redis))
        {
            answer = await client.PredictAsync(new PredictRequest
            {
                Model = model,
                Version = "1",
                IncludeFeatures = true,
                Rows = new Table { Columns = { Texts("origin", "ATL", "ORD", "ATL") } },
            });
            commands = await monitor.StopAsync();
        }

        var later = await client.PredictAsync(new PredictRequest { Model = model, Version = "2", IncludeFeatures = true, Rows = new Table { Columns = { Texts("origin", "ATL") } } });

        Assert.Equal(["MGET"], commands);
        Assert.Equal([8, 17, 8], answer.Features.Columns.Single(column => column.Name == "hour").Doubles.Values);
        Assert.Equal([700, 600, 700], answer.Features.Columns.Single(column => column.Name == "distance").Doubles.Values);
        Assert.Equal([27.25, 42.5, 27.25], answer.Outputs.Columns.Single().Doubles.Values.Select(v => Math.Round(v, 4)));
        Assert.All(answer.Origins.Where(origin => origin.Name != "origin"), origin => Assert.Equal("online", origin.Source));
        Assert.All(answer.Origins.Single(origin => origin.Name == "hour").AgeMicros, age => Assert.InRange(age, 60_000_000, 3_600_000_000));
        Assert.Equal([9], later.Features.Columns.Single(column => column.Name == "hour").Doubles.Values);
    }

    private Task<ServiceProcess> StartStoreAsync() => ServiceProcess.StartAsync("FeatureStore", new Dictionary<string, string?>
    {
        ["ConnectionStrings__featuresdb"] = postgres.ConnectionString,
        ["ConnectionStrings__redis"] = redis.ConnectionString,
        ["ConnectionStrings__rabbitmq"] = Servers.RabbitMq,
        ["Bus__Prefix"] = InferenceFixture.NewName("online"),
        ["Storage__Folder"] = services.NewFolder("store"),
        ["Online__Timeout"] = "00:00:10",
    });

    private static async Task DefineAsync(FeatureStoreService.FeatureStoreServiceClient features)
    {
        await features.ApplyAsync(new ApplyRequest
        {
            Entities = { new Entity { Name = "airport", JoinKeys = { "airport" } } },
            FeatureViews = { View("hours", "hour"), View("distances", "distance"), View("later_hours", "hour") },
            FeatureServices =
            {
                new FeatureService { Name = Service, Selections = { Select("hours"), Select("distances") } },
                new FeatureService { Name = "later_features", Selections = { Select("later_hours"), Select("distances") } },
            },
        });
        await IngestAsync(features, "hours", "hour", 8, 17);
        await IngestAsync(features, "later_hours", "hour", 9, 18);
        await IngestAsync(features, "distances", "distance", 700, 600);
        await features.MaterializeAsync(new() { FeatureViews = { "hours", "distances", "later_hours" } });
    }

    private static async Task IngestAsync(FeatureStoreService.FeatureStoreServiceClient features, string view, string name, params double[] values)
    {
        var at = (TimeProvider.System.GetUtcNow().AddMinutes(-5) - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
        using var ingest = features.Ingest();
        await ingest.RequestStream.WriteAsync(new() { Header = new() { FeatureView = view } });
        await ingest.RequestStream.WriteAsync(new()
        {
            Table = new Table
            {
                Columns =
                {
                    Texts("airport", "ATL", "ORD"), new Column { Name = "at", Times = new() { Values = { at, at } } },
                    new Column { Name = name, Doubles = new() { Values = { values } } },
                },
            },
        });
        await ingest.RequestStream.CompleteAsync();
        Assert.Equal(2, (await ingest).RowsIngested);
    }

    private static FeatureView View(string name, string feature) => new()
    {
        Name = name,
        Entity = "airport",
        EventTimeColumn = "at",
        Schema = { new Field { Name = feature, Type = ColumnType.Double } },
    };

    private static FeatureSelection Select(string view) => new() { FeatureView = view, EntityColumns = { ["airport"] = "origin" } };

    private static Column Texts(string name, params string[] values) => new() { Name = name, Texts = new() { Values = { values } } };
}
