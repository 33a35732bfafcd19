using Grpc.Core;
using Grpc.Net.Client;
using MassTransit;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Registry.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.Contracts.Training.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.Training.Tests;

/// <summary>FeatureStore, Registry and Training as real processes on databases, folders and bus names of their own, with one snapshot.</summary>
public sealed class Platform : IAsyncLifetime
{
    private const string Features = "airline_fees";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly PostgresDatabase<FeatureStoreService.FeatureStoreServiceClient> _features = new();
    private readonly PostgresDatabase<RegistryService.RegistryServiceClient> _registry = new();
    private readonly PostgresDatabase<TrainingService.TrainingServiceClient> _training = new();
    private readonly RedisDatabase<Platform> _redis = new();
    private readonly string _prefix = new BusPrefix<Platform>().Value;
    private readonly string _folder = Directory.CreateTempSubdirectory("training-").FullName;
    private readonly List<IAsyncDisposable> _processes = [];
    private readonly List<GrpcChannel> _channels = [];
    private IBusControl? _bus;

    /// <summary>Only for tests that run, which is when the servers are there.</summary>
    public ServiceProcess TrainingProcess { get; private set; } = null!;

    public ServiceProcess RegistryProcess { get; private set; } = null!;

    public FeatureStoreService.FeatureStoreServiceClient FeatureStore { get; private set; } = null!;

    public RegistryService.RegistryServiceClient Registry { get; private set; } = null!;

    public TrainingService.TrainingServiceClient Training { get; private set; } = null!;

    public DatasetSnapshot Snapshot { get; private set; } = null!;

    /// <summary>Publishes as the services do.</summary>
    public IBus Bus => _bus!;

    public async Task InitializeAsync()
    {
        await Task.WhenAll(
            _features.InitializeAsync(), _registry.InitializeAsync(), _training.InitializeAsync(), _redis.InitializeAsync());
        if (!Servers.AreThere) return;

        var featureStore = await StartAsync("FeatureStore", new()
        {
            ["ConnectionStrings__featuresdb"] = _features.ConnectionString,
            ["ConnectionStrings__redis"] = _redis.ConnectionString,
        });
        RegistryProcess = await StartAsync("Registry", new() { ["ConnectionStrings__registrydb"] = _registry.ConnectionString });
        TrainingProcess = await StartAsync("Training", new()
        {
            ["ConnectionStrings__trainingdb"] = _training.ConnectionString,
            ["services__featurestore__grpc__0"] = featureStore.Grpc.ToString(),
            ["services__registry__grpc__0"] = RegistryProcess.Grpc.ToString(),
        });
        FeatureStore = new(ChannelTo(featureStore));
        Registry = new(ChannelTo(RegistryProcess));
        Training = new(ChannelTo(TrainingProcess));
        await DefineFeaturesAsync();
        Snapshot = await CreateSnapshotAsync("synthetic", SyntheticRows.Table(3000));
        await StartBusAsync();
    }

    public async Task DisposeAsync()
    {
        if (_bus is not null) await _bus.StopAsync(Patience);
        foreach (var channel in _channels) channel.Dispose();
        for (var i = _processes.Count - 1; i >= 0; i--) await _processes[i].DisposeAsync();
        await Task.WhenAll(_features.DisposeAsync(), _registry.DisposeAsync(), _training.DisposeAsync(), _redis.DisposeAsync());
        Directory.Delete(_folder, recursive: true);
    }

    internal Pipeline Pipeline(string trainer = "xgboost")
    {
        var pipeline = SyntheticRows.Pipeline(trainer);
        pipeline.Model = $"synthetic-{Guid.NewGuid():N}";
        pipeline.DatasetDigest = Snapshot.Digest;
        pipeline.Inputs.Add(new InputColumn { Name = "fee", Kind = InputColumn.Types.Kind.Numeric, Nullable = true });
        return pipeline;
    }

    internal async Task<TrainingRun> SubmitAsync(Pipeline pipeline, string requestId = "") =>
        await Training.SubmitPipelineAsync(new SubmitPipelineRequest { RequestId = requestId, Pipeline = pipeline });

    internal async Task<TrainingRun> GetAsync(string id) =>
        await Training.GetTrainingRunAsync(new GetTrainingRunRequest { TrainingRunId = id });

    /// <summary>The run when it has ended.</summary>
    internal async Task<TrainingRun> EndOfAsync(string id)
    {
        using var watch = Training.WatchTrainingRun(new GetTrainingRunRequest { TrainingRunId = id }, deadline: DateTime.MaxValue);
        using var deadline = new CancellationTokenSource(Patience);
        TrainingRun? last = null;
        await foreach (var run in watch.ResponseStream.ReadAllAsync(deadline.Token)) last = run;
        return last!; // a stream shows the run at least once
    }

    internal static Task WaitAsync(Func<Task<bool>> condition, string what) => Eventually.Async(condition, Patience, what);

    internal async Task<DatasetSnapshot> CreateSnapshotAsync(string name, Table rows)
    {
        using var call = FeatureStore.CreateSnapshot();
        await call.RequestStream.WriteAsync(new CreateSnapshotRequest
        {
            Header = new()
            {
                Name = name,
                Join = new HistoricalHeader
                {
                    Selections = { new FeatureSelection { FeatureView = Features } },
                    EventTimeColumn = SyntheticRows.Time,
                },
            },
        });
        await call.RequestStream.WriteAsync(new CreateSnapshotRequest { Rows = rows });
        await call.RequestStream.CompleteAsync();
        return await call;
    }

    /// <summary>What another replica does when it cancels a run while this one is dead.</summary>
    internal Task CancelInDatabaseAsync(string id) => _training.DataSource.ExecuteAsync(
        "update training_runs set state = 'cancelled', finished_at = now() where id = $1", [Guid.Parse(id)], CancellationToken.None);

    internal async Task<IReadOnlyList<Run>> RunsAsync(string experiment) =>
        (await Registry.ListRunsAsync(new ListRunsRequest { Experiment = experiment, PageSize = 1000 })).Runs;

    private async Task<ServiceProcess> StartAsync(string name, Dictionary<string, string?> environment)
    {
        environment["ConnectionStrings__rabbitmq"] = Servers.RabbitMq;
        environment["Bus__Prefix"] = _prefix;
        environment["Storage__Folder"] = Path.Combine(_folder, name);
        var process = await ServiceProcess.StartAsync(name, environment);
        _processes.Add(process);
        return process;
    }

    private GrpcChannel ChannelTo(ServiceProcess process)
    {
        var channel = GrpcChannel.ForAddress(process.Grpc);
        _channels.Add(channel);
        return channel;
    }

    private async Task DefineFeaturesAsync()
    {
        await FeatureStore.ApplyAsync(new ApplyRequest
        {
            Entities = { new Entity { Name = "airline", JoinKeys = { "airline" } } },
            FeatureViews =
            {
                new FeatureView
                {
                    Name = Features, Entity = "airline", EventTimeColumn = "valid_from",
                    Schema = { new Field { Name = "fee", Type = ColumnType.Double } },
                },
            },
        });
        using var call = FeatureStore.Ingest();
        await call.RequestStream.WriteAsync(new IngestRequest { Header = new() { FeatureView = Features, Source = "test" } });
        var csv = "airline,valid_from,fee\nAA,2000-01-01,10.5\nDL,2000-01-01,20\nUA,2000-01-01,5\n";
        await call.RequestStream.WriteAsync(new IngestRequest { Csv = Google.Protobuf.ByteString.CopyFromUtf8(csv) });
        await call.RequestStream.CompleteAsync();
        Assert.Equal(3, (await call).RowsIngested);
    }

    private async Task StartBusAsync()
    {
        _bus = MassTransit.Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            rabbit.Host(new Uri(Servers.RabbitMq));
            rabbit.MessageTopology.SetEntityNameFormatter(
                new PrefixEntityNameFormatter(rabbit.MessageTopology.EntityNameFormatter, _prefix));
        });
        await _bus.StartAsync(Patience);
    }
}

[CollectionDefinition(nameof(Platform))]
public sealed class PlatformTests : ICollectionFixture<Platform>;
