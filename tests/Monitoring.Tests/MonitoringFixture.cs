using Google.Protobuf;
using Grpc.Net.Client;
using MassTransit;
using MlOps.Contracts.Events;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.Registry.V1;
using MlOps.Numerics.Profiles;
using MlOps.TestServers;
using Npgsql;

namespace MlOps.Monitoring.Tests;

/// <summary>The built services Monitoring and Registry as real processes, with databases and bus names of their own.</summary>
public sealed class MonitoringFixture : IAsyncLifetime
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);
    private readonly PostgresDatabase<MonitoringFixture> _database = new();
    private readonly PostgresDatabase<RegistryService.RegistryServiceClient> _registryDatabase = new();
    private readonly BusPrefix<MonitoringFixture> _prefix = new();
    private readonly string _folder = Directory.CreateTempSubdirectory("monitoring-").FullName;
    private readonly List<IAsyncDisposable> _processes = [];
    private readonly List<GrpcChannel> _channels = [];
    private IBusControl? _bus;

    public string BusPrefix => _prefix.Value;

    public NpgsqlDataSource Database => _database.DataSource;

    // Both are set wherever tests run, which is where the servers are.
    public MonitoringService.MonitoringServiceClient Client { get; private set; } = null!;

    public RegistryService.RegistryServiceClient Registry { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        await _database.InitializeAsync();
        await _registryDatabase.InitializeAsync();
        if (!Servers.AreThere) return;
        var registry = await StartAsync("Registry", new()
        {
            ["ConnectionStrings__registrydb"] = _registryDatabase.ConnectionString,
            ["Storage__Folder"] = _folder,
        });
        var monitoring = await StartAsync("Monitoring", new()
        {
            ["ConnectionStrings__monitoringdb"] = _database.ConnectionString,
            ["services__registry__grpc__0"] = registry.Grpc.ToString(),
        });
        Registry = new(Channel(registry));
        Client = new(Channel(monitoring));
        _bus = Bus.Factory.CreateUsingRabbitMq(Configure);
        await _bus.StartAsync(Deadline);
    }

    public async Task DisposeAsync()
    {
        if (_bus is not null) await _bus.StopAsync(Deadline);
        foreach (var channel in _channels) channel.Dispose();
        foreach (var process in _processes) await process.DisposeAsync();
        await _registryDatabase.DisposeAsync();
        await _database.DisposeAsync();
        Directory.Delete(_folder, recursive: true);
    }

    /// <summary>The names of this platform's exchanges.</summary>
    public void Configure(IRabbitMqBusFactoryConfigurator rabbit)
    {
        rabbit.Host(new Uri(Servers.RabbitMq));
        rabbit.MessageTopology.SetEntityNameFormatter(
            new PrefixEntityNameFormatter(rabbit.MessageTopology.EntityNameFormatter, BusPrefix));
    }

    public static string NewModel() => $"model-{Guid.NewGuid():N}";

    /// <summary>Publishes as Inference does; each call is a message of its own, whatever the batch.</summary>
    public Task PublishAsync(Guid batchId, params IEnumerable<PredictionRecord> records) => PublishAsync(
        batchId, new PredictionBatch { Records = { records } }.ToByteArray());

    public Task PublishAsync(Guid batchId, byte[] records) =>
        // Set wherever tests run.
        _bus!.Publish(new PredictionsLogged(batchId, records));

    /// <summary>Publishes the records and waits until the log holds that many predictions of the model.</summary>
    public async Task LogAsync(string model, long total, params IEnumerable<PredictionRecord> records)
    {
        await PublishAsync(Guid.NewGuid(), records);
        await WaitForAsync(model, total);
    }

    public Task WaitForAsync(string model, long total) => Eventually.Async(
        async () => await CountAsync(model) == total, Deadline, $"{total} predictions of {model} in the log");

    public async Task<long> CountAsync(string model)
    {
        await using var command = Database.CreateCommand("select count(*) from prediction where model = $1");
        command.Parameters.Add(new() { Value = model });
        return (long)(await command.ExecuteScalarAsync() ?? 0L);
    }

    /// <summary>Registers a version whose reference profile this is.</summary>
    public async Task<ModelVersion> RegisterAsync(string model, ReferenceProfile? profile)
    {
        var artifact = await UploadAsync(Guid.NewGuid().ToByteArray());
        return await Registry.RegisterModelVersionAsync(new RegisterModelVersionRequest
        {
            Model = model,
            ArtifactDigest = artifact,
            ProfileDigest = profile is null ? "" : await UploadAsync(profile.ToJson()),
            Signature = new Signature
            {
                Inputs = { new TensorSpec { Name = "x", Datatype = "FP32" } },
                Outputs = { new TensorSpec { Name = "y", Datatype = "FP32" } },
            },
        });
    }

    public async Task<string> UploadAsync(byte[] content)
    {
        using var call = Registry.UploadArtifact();
        await call.RequestStream.WriteAsync(new() { Header = new() { Name = "file" } });
        foreach (var chunk in content.Chunk(1_000_000)) await call.RequestStream.WriteAsync(new() { Chunk = ByteString.CopyFrom(chunk) });
        await call.RequestStream.CompleteAsync();
        return (await call).Digest;
    }

    private async Task<ServiceProcess> StartAsync(string name, Dictionary<string, string?> environment)
    {
        environment["ConnectionStrings__rabbitmq"] = Servers.RabbitMq;
        environment["Bus__Prefix"] = BusPrefix;
        var process = await ServiceProcess.StartAsync(name, environment);
        _processes.Add(process);
        return process;
    }

    private GrpcChannel Channel(ServiceProcess process)
    {
        var channel = GrpcChannel.ForAddress(process.Grpc, new GrpcChannelOptions { MaxReceiveMessageSize = null });
        _channels.Add(channel);
        return channel;
    }
}

[CollectionDefinition(nameof(MonitoringFixture))]
public sealed class MonitoringCollection : ICollectionFixture<MonitoringFixture>;
