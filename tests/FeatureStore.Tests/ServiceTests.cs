using System.Globalization;
using System.Text;
using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using MlOps.Contracts.Features.V1;
using MlOps.TestServers;

namespace MlOps.FeatureStore.Tests;

/// <summary>The built service as a process of its own, over gRPC.</summary>
public sealed class ServiceTests(ServiceTests.Running running) : IClassFixture<ServiceTests.Running>
{
    [ServerFact]
    public async Task Rows_ingested_over_grpc_are_joined_snapshotted_and_served_online()
    {
        var client = running.Client;
        await client.ApplyAsync(Define.Request(
            Define.Airport, Define.View("whole_way"), Define.Service("whole_way_service", Define.Select("whole_way", "origin_", "origin"))));
        using (var ingest = client.Ingest())
        {
            await ingest.RequestStream.WriteAsync(new() { Header = new() { FeatureView = "whole_way", Source = "a.csv" } });
            await ingest.RequestStream.WriteAsync(new()
            {
                Csv = ByteString.CopyFromUtf8("airport,at,value\nDTW,2001-01-01T00:00:00Z,1.5\nLAS,2001-01-01T00:00:00Z,oops\n"),
            });
            await ingest.RequestStream.CompleteAsync();
            var answer = await ingest;
            Assert.Equal((1, 0, 1), (answer.RowsIngested, answer.RowsDuplicate, answer.RowsQuarantined));
        }

        var rows = Parts.Table(Parts.Texts("origin", "DTW", "LAS"), Parts.Times("at", Parts.Zero + 5, Parts.Zero + 5));
        using var history = client.GetHistoricalFeatures();
        await history.RequestStream.WriteAsync(new() { Header = new() { FeatureService = "whole_way_service", EventTimeColumn = "at" } });
        await history.RequestStream.WriteAsync(new() { Rows = rows });
        await history.RequestStream.CompleteAsync();
        var joined = await history.ResponseStream.ReadAllAsync().ToListAsync();
        Assert.Equal([1.5, double.NaN], joined.DoublesOf("origin_value"));

        using var create = client.CreateSnapshot();
        await create.RequestStream.WriteAsync(new()
        {
            Header = new() { Name = "whole-way", Join = new() { FeatureService = "whole_way_service", EventTimeColumn = "at" } },
        });
        await create.RequestStream.WriteAsync(new() { Rows = rows });
        await create.RequestStream.CompleteAsync();
        var snapshot = await create;
        using var read = client.ReadSnapshot(new() { Digest = snapshot.Digest });
        Assert.Equal(joined, await read.ResponseStream.ReadAllAsync().ToListAsync());

        await client.MaterializeAsync(new() { FeatureViews = { "whole_way" } });
        var online = await client.GetOnlineFeaturesAsync(new() { FeatureService = "whole_way_service", Entities = rows });
        Assert.Equal([1.5, double.NaN], new[] { online.Features }.DoublesOf("origin_value"));
        Assert.Equal([FeatureStatus.Present, FeatureStatus.NotFound], online.Statuses[0].Statuses);
    }

    [ServerFact]
    public async Task Every_unknown_name_is_not_found_with_its_own_code()
    {
        var client = running.Client;
        await client.ApplyAsync(Define.Request(Define.Airport, Define.View("known_view")));
        var entities = Parts.Table(Parts.Texts("airport", "DTW"));

        await FailsAsync("FEATURE_VIEW_UNKNOWN", "nowhere", () => client.GetOnlineFeaturesAsync(
            new() { Entities = entities, Selections = { Define.Select("nowhere") } }).ResponseAsync);
        await FailsAsync("FEATURE_UNKNOWN", "nothing", () => client.GetOnlineFeaturesAsync(
            new() { Entities = entities, Selections = { Define.Select("known_view", features: "nothing") } }).ResponseAsync);
        await FailsAsync("FEATURE_SERVICE_UNKNOWN", "nobody", () => client.GetOnlineFeaturesAsync(
            new() { Entities = entities, FeatureService = "nobody" }).ResponseAsync);
        await FailsAsync("FEATURE_VIEW_UNKNOWN", "nowhere", () => client.MaterializeAsync(
            new() { FeatureViews = { "nowhere" } }).ResponseAsync);
        await FailsAsync("FEATURE_VIEW_UNKNOWN", "nowhere", () => client.ListQuarantineAsync(
            new() { FeatureView = "nowhere" }).ResponseAsync);
        await FailsAsync("SNAPSHOT_UNKNOWN", "sha256:0", () => client.GetSnapshotAsync(
            new() { Digest = "sha256:" + new string('0', 64) }).ResponseAsync);
        await FailsAsync("FEATURE_VIEW_UNKNOWN", "nowhere", async () =>
        {
            using var ingest = client.Ingest();
            await ingest.RequestStream.WriteAsync(new() { Header = new() { FeatureView = "nowhere" } });
            await ingest.RequestStream.CompleteAsync();
            return await ingest;
        });
    }

    [ServerFact]
    public async Task A_missing_entity_column_is_an_invalid_request_that_names_it()
    {
        await running.Client.ApplyAsync(Define.Request(Define.Airport, Define.View("columns_view")));
        var failure = await Assert.ThrowsAsync<RpcException>(() => running.Client.GetOnlineFeaturesAsync(new()
        {
            Entities = Parts.Table(Parts.Texts("city", "Detroit")),
            Selections = { Define.Select("columns_view", airport: "origin") },
        }).ResponseAsync);
        Assert.Equal(StatusCode.InvalidArgument, failure.StatusCode);
        Assert.Equal("COLUMN_MISSING", failure.Trailers.GetValue("mlops-code"));
        Assert.Contains("'origin'", failure.Status.Detail, StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task A_stream_that_breaks_off_leaves_nothing_and_can_be_sent_again()
    {
        var client = running.Client;
        await client.ApplyAsync(Define.Request(Define.Airport, Define.View("broken_stream")));
        using (var cancel = new CancellationTokenSource())
        {
            using var broken = client.Ingest(cancellationToken: cancel.Token);
            await broken.RequestStream.WriteAsync(new() { Header = new() { FeatureView = "broken_stream" } });
            await broken.RequestStream.WriteAsync(new() { Table = Parts.Values(("DTW", Parts.Zero, 1)) });
            await cancel.CancelAsync();
            await Assert.ThrowsAsync<RpcException>(() => broken.ResponseAsync);
        }

        using var again = client.Ingest();
        await again.RequestStream.WriteAsync(new() { Header = new() { FeatureView = "broken_stream" } });
        await again.RequestStream.WriteAsync(new() { Table = Parts.Values(("DTW", Parts.Zero, 1)) });
        await again.RequestStream.CompleteAsync();
        Assert.Equal(1, (await again).RowsIngested);
    }

    [ServerFact]
    public async Task Many_rows_with_four_selections_come_back_complete_and_in_order()
    {
        const int Batches = 5, BatchRows = 4_000;
        var client = running.Client;
        await client.ApplyAsync(Define.Request(
            Define.Airport, Define.View("many_positions"), Define.Window("many_delays", 24 * 3600),
            Define.Service("many", Define.Select("many_positions", "o_", "origin"), Define.Select("many_positions", "d_", "destination"),
                Define.Select("many_delays", "o_", "origin"), Define.Select("many_delays", "d_", "destination"))));
        var random = new Random(7);
        var csv = new StringBuilder("airport,at,known,value\n");
        for (var row = 0; row < 20_000; row++)
            csv.Append(CultureInfo.InvariantCulture, $"A{random.Next(300)},2001-01-{1 + random.Next(28):00}T{random.Next(24):00}:{random.Next(60):00},2001-01-31,{random.Next(90)}\n");
        foreach (var view in new[] { "many_positions", "many_delays" })
        {
            using var ingest = client.Ingest();
            await ingest.RequestStream.WriteAsync(new() { Header = new() { FeatureView = view } });
            foreach (var chunk in Encoding.UTF8.GetBytes(csv.ToString()).Chunk(64 * 1024))
                await ingest.RequestStream.WriteAsync(new() { Csv = ByteString.CopyFrom(chunk) });
            await ingest.RequestStream.CompleteAsync();
            Assert.Equal(20_000, (await ingest).RowsIngested + (await ingest).RowsDuplicate);
        }

        using var history = client.GetHistoricalFeatures();
        await history.RequestStream.WriteAsync(new() { Header = new() { FeatureService = "many", EventTimeColumn = "at" } });
        var answered = 0L;
        for (var batch = 0; batch < Batches; batch++)
        {
            var numbers = Enumerable.Range(batch * BatchRows, BatchRows).Select(number => (long)number).ToArray();
            await history.RequestStream.WriteAsync(new()
            {
                Rows = Parts.Table(
                    Parts.Texts("origin", [.. numbers.Select(number => $"A{number % 300}")]),
                    Parts.Texts("destination", [.. numbers.Select(number => $"A{number % 299}")]),
                    Parts.Times("at", [.. numbers.Select(number => Parts.Zero + number * 200 * Parts.Second)]),
                    Parts.Integers("number", numbers)),
            });
            Assert.True(await history.ResponseStream.MoveNext(default));
            var table = history.ResponseStream.Current;
            Assert.Equal(["origin", "destination", "at", "number", "o_value", "d_value", "o_rows", "o_mean", "d_rows", "d_mean"],
                table.Columns.Select(column => column.Name));
            Assert.Equal(numbers, table.Columns[3].Integers.Values);
            answered += table.Columns[4].Doubles.Values.Count;
        }

        await history.RequestStream.CompleteAsync();
        Assert.False(await history.ResponseStream.MoveNext(default));
        Assert.Equal(Batches * BatchRows, answered);
    }

    private static async Task FailsAsync<T>(string code, string name, Func<Task<T>> call)
    {
        var failure = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal((StatusCode.NotFound, code), (failure.StatusCode, failure.Trailers.GetValue("mlops-code")));
        Assert.Contains(name, failure.Status.Detail, StringComparison.Ordinal);
    }

    public sealed class Running : IAsyncLifetime
    {
        private readonly PostgresDatabase<ServiceTests> _postgres = new();
        private readonly RedisDatabase<ServiceTests> _redis = new();
        private readonly string _folder = Directory.CreateTempSubdirectory("mlops-features-").FullName;
        private ServiceProcess? _service;
        private GrpcChannel? _channel;

        public FeatureStoreService.FeatureStoreServiceClient Client => new(_channel!); // the tests are skipped without servers

        public async Task InitializeAsync()
        {
            await _postgres.InitializeAsync();
            await _redis.InitializeAsync();
            if (!Servers.AreThere)
                return;
            _service = await ServiceProcess.StartAsync("FeatureStore", new Dictionary<string, string?>
            {
                ["ConnectionStrings__featuresdb"] = _postgres.ConnectionString,
                ["ConnectionStrings__redis"] = _redis.ConnectionString,
                ["ConnectionStrings__rabbitmq"] = Servers.RabbitMq,
                ["Bus__Prefix"] = new BusPrefix<ServiceTests>().Value,
                ["Storage__Folder"] = _folder,
                ["Online__Timeout"] = "00:00:10",
            });
            _channel = GrpcChannel.ForAddress(_service.Grpc);
        }

        public async Task DisposeAsync()
        {
            _channel?.Dispose();
            if (_service is not null)
                await _service.DisposeAsync();
            await _redis.DisposeAsync();
            await _postgres.DisposeAsync();
            Directory.Delete(_folder, recursive: true);
        }
    }
}
