using Google.Protobuf;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.BatchJobs;

/// <summary>Batch jobs whose rows lack an input, or come from a snapshot, beside the built feature store.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class BatchFeatureTests(InferenceFixture services) : IAsyncLifetime
{
    private const string Rows = "id,origin,distance,at\na,ATL,719,2001-01-01T12:00:00Z\nb,ORD,100,2001-01-02T12:00:00Z\nc,ATL,,2001-01-02T12:00:00Z\nd,LAX,5,2001-01-02T12:00:00Z\n";
    private static readonly DateTimeOffset Noon = new(2001, 1, 1, 12, 0, 0, TimeSpan.Zero);
    private static readonly PredictionLogging NoLog = new() { Mode = PredictionLogging.Types.Mode.None };

    private readonly PostgresDatabase<BatchFeatureTests> _postgres = new();
    private readonly RedisDatabase<BatchFeatureTests> _redis = new();
    private BatchReplicas? _replicas;
    private ServiceProcess? _store;

    // Started before any test runs.
    private FeatureStoreService.FeatureStoreServiceClient Store => new(services.Channel(_store!.Grpc));

    public async Task InitializeAsync()
    {
        await _postgres.InitializeAsync();
        await _redis.InitializeAsync();
        if (!Servers.AreThere) return;
        _replicas = await BatchReplicas.StartAsync(services);
        _store = await ServiceProcess.StartAsync("FeatureStore", new Dictionary<string, string?>
        {
            ["ConnectionStrings__featuresdb"] = _postgres.ConnectionString,
            ["ConnectionStrings__redis"] = _redis.ConnectionString,
            ["ConnectionStrings__rabbitmq"] = Servers.RabbitMq,
            ["Bus__Prefix"] = _replicas.Prefix,
            ["Storage__Folder"] = services.NewFolder("features"),
            ["Online__Timeout"] = "00:00:10",
        });
        await DefineAsync();
    }

    public async Task DisposeAsync()
    {
        if (_replicas is not null) await _replicas.DisposeAsync();
        if (_store is not null) await _store.DisposeAsync();
        await _redis.DisposeAsync();
        await _postgres.DisposeAsync();
    }

    [ServerFact]
    public async Task What_the_rows_lack_comes_from_the_online_store_or_as_known_at_a_past_time()
    {
        var client = await ClientAsync();
        var spec = new BatchJobSpec
        {
            Model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature, "delay_hours"),
            InputDigest = (await client.UploadAsync(Rows)).Digest,
            KeepColumns = { "id" },
            MaxBadShare = 0.5,
            Log = NoLog,
        };

        // 0.01 · distance + 2 · hour + (ATL 1.25, ORD −0.5) + 3; the newest hours are ATL 20, ORD 17.
        Assert.Equal("row,id,prediction\n1,a,51.44\n2,b,37.5\n3,c,49.25\n", await client.ScoreAsync(spec));

        // At noon of the first day ORD had no value, and the correction of ATL's, about the morning, was not known yet.
        spec.PastFeatures = new PastFeatures { AsOfMicros = Micros(Noon) };
        var past = await client.RunAsync(spec);
        Assert.Equal("row,id,prediction\n1,a,27.44\n3,c,25.25\n", await client.DownloadAsync(past.JobId));
        Assert.Equal(
            [(2, "hour: must not be missing; the feature store says it had no value then"), (4, "hour: must not be missing; the feature store says it had no value then")],
            (await client.QuarantineAsync(past.JobId)).Select(r => ((int)r.Row, r.Reason)));

        spec.PastFeatures = new PastFeatures { AsOfColumn = "at" };
        Assert.Equal("row,id,prediction\n1,a,27.44\n2,b,37.5\n3,c,27.25\n", await client.ScoreAsync(spec));
    }

    [ServerFact]
    public async Task A_snapshot_is_scored_as_it_was_made()
    {
        var client = await ClientAsync();
        using var create = Store.CreateSnapshot();
        await create.RequestStream.WriteAsync(new CreateSnapshotRequest
        {
            Header = new() { Name = "flights", Join = new() { FeatureService = "delay_hours", EventTimeColumn = "at" } },
        });
        var late = Micros(Noon.AddDays(1));
        await create.RequestStream.WriteAsync(new CreateSnapshotRequest
        {
            Rows = new Table
            {
                Columns =
                {
                    new Column { Name = "origin", Texts = new() { Values = { "ATL", "ORD", "L\"A,X" } } },
                    new Column { Name = "distance", Doubles = new() { Values = { 719, double.NaN, 1 } } },
                    new Column { Name = "at", Times = new() { Values = { Micros(Noon), late, late } } },
                },
            },
        });
        await create.RequestStream.CompleteAsync();
        var snapshot = await create;
        var spec = new BatchJobSpec
        {
            Model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature),
            SnapshotDigest = snapshot.Digest,
            KeepColumns = { "at", "origin" },
            MaxBadShare = 0.5,
            Log = NoLog,
        };

        var job = await client.RunAsync(spec);

        Assert.True(job.State == BatchJob.Types.State.Completed, job.Failure);
        Assert.Equal(
            "row,at,origin,prediction\n1,2001-01-01T12:00:00Z,ATL,27.44\n2,2001-01-02T12:00:00Z,ORD,41.5\n",
            (await client.DownloadAsync(job.JobId)).Replace("\"", "", StringComparison.Ordinal).Replace(".000000", "", StringComparison.Ordinal));
        Assert.Equal("hour: must not be missing", Assert.Single(await client.QuarantineAsync(job.JobId)).Reason);

        spec.SnapshotDigest = $"sha256:{new string('0', 64)}";
        var failed = await client.RunAsync(spec);
        Assert.Contains("no dataset snapshot", failed.Failure, StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task A_scheduled_job_takes_the_features_of_the_time_it_was_due()
    {
        var client = await ClientAsync();
        // Known in an hour: what was due before does not see it.
        await IngestAsync(("ORD", Noon.AddDays(2), TimeProvider.System.GetUtcNow().AddHours(1), 99));
        var schedule = new BatchSchedule
        {
            Name = $"s-{Guid.NewGuid():N}",
            Cron = "* * * * * ?",
            Job = new BatchJobSpec
            {
                Model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature, "delay_hours"),
                InputDigest = (await client.UploadAsync("origin,distance\nORD,100\n")).Digest,
                PastFeatures = new PastFeatures { AsOfSchedule = true },
                Log = NoLog,
            },
        };
        await client.Calls.PutBatchScheduleAsync(new PutBatchScheduleRequest { Schedule = schedule });
        await Eventually.Async(
            async () => (await client.Calls.GetBatchScheduleAsync(new GetBatchScheduleRequest { Name = schedule.Name })).LastJobId.Length > 0,
            TimeSpan.FromSeconds(60));
        var made = await client.Calls.GetBatchScheduleAsync(new GetBatchScheduleRequest { Name = schedule.Name });
        await client.Calls.DeleteBatchScheduleAsync(new DeleteBatchScheduleRequest { Name = schedule.Name });

        var job = await client.EndAsync(made.LastJobId);

        Assert.True(job.State == BatchJob.Types.State.Completed, job.Failure);
        Assert.Equal((schedule.Name, made.LastAtMicros), (job.Schedule, job.ScheduledForMicros));
        Assert.Equal("row,prediction\n1,37.5\n", await client.DownloadAsync(job.JobId));
    }

    private async Task<BatchClient> ClientAsync() => _replicas!.ClientOf( // Set before any test runs.
        await _replicas.AddAsync(16_000, null, ("services__featurestore__grpc__0", _store!.Grpc.ToString())));

    private async Task DefineAsync()
    {
        await Store.ApplyAsync(new ApplyRequest
        {
            Entities = { new Entity { Name = "airport", JoinKeys = { "airport" } } },
            FeatureViews =
            {
                new FeatureView
                {
                    Name = "hours", Entity = "airport", EventTimeColumn = "at", KnownAtColumn = "known",
                    Schema = { new Field { Name = "hour", Type = ColumnType.Double } },
                },
            },
            FeatureServices =
            {
                new FeatureService
                {
                    Name = "delay_hours",
                    Selections = { new FeatureSelection { FeatureView = "hours", EntityColumns = { ["airport"] = "origin" } } },
                },
            },
        });
        await IngestAsync(
            ("ATL", Noon.AddHours(-2), Noon.AddHours(-1), 8), ("ATL", Noon.AddHours(-2), Noon.AddHours(1), 9),
            ("ATL", Noon.AddDays(1).AddHours(1), Noon.AddDays(1).AddHours(1), 20), ("ORD", Noon.AddDays(1), Noon.AddDays(1), 17));
        await Store.MaterializeAsync(new MaterializeRequest());
    }

    private async Task IngestAsync(params (string Airport, DateTimeOffset At, DateTimeOffset Known, double Hour)[] rows)
    {
        using var ingest = Store.Ingest();
        await ingest.RequestStream.WriteAsync(new IngestRequest { Header = new() { FeatureView = "hours", Source = "test" } });
        var lines = rows.Select(r => FormattableString.Invariant($"{r.Airport},{r.At:O},{r.Known:O},{r.Hour}\n"));
        await ingest.RequestStream.WriteAsync(new IngestRequest { Csv = ByteString.CopyFromUtf8($"airport,at,known,hour\n{string.Concat(lines)}") });
        await ingest.RequestStream.CompleteAsync();
        Assert.Equal(rows.Length, (await ingest).RowsIngested);
    }

    private static long Micros(DateTimeOffset time) => time.ToUnixTimeMilliseconds() * 1000;
}
