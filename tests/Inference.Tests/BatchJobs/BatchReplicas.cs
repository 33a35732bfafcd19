using System.Globalization;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.BatchJobs;

/// <summary>Replicas of their own database, prefix and folder of jobs beside the fixture's registry; small partitions, one at a time.</summary>
internal sealed class BatchReplicas(InferenceFixture services) : IAsyncDisposable
{
    private readonly PostgresDatabase<BatchReplicas> _database = new();
    private readonly BusPrefix<BatchReplicas> _prefix = new();
    private readonly List<ServiceProcess> _replicas = [];
    private readonly string _folder = services.NewFolder("batch");

    public string Prefix => _prefix.Value;

    /// <summary>Where all of them keep inputs, parts and results.</summary>
    public string Folder => _folder;

    public PostgresDatabase<BatchReplicas> Database => _database;

    public static async Task<BatchReplicas> StartAsync(InferenceFixture services)
    {
        var replicas = new BatchReplicas(services);
        await replicas._database.InitializeAsync();
        return replicas;
    }

    public async Task<ServiceProcess> AddAsync(int partitionBytes = 16_000, string? database = null, params (string Key, string Value)[] more)
    {
        var environment = new Dictionary<string, string?>
        {
            ["ConnectionStrings__rabbitmq"] = Servers.RabbitMq,
            ["ConnectionStrings__inferencedb"] = database ?? _database.ConnectionString,
            ["Bus__Prefix"] = Prefix,
            ["Storage__Folder"] = services.NewFolder("inference"),
            ["Inference__Batch__Folder"] = _folder,
            ["Inference__Batch__PartitionBytes"] = partitionBytes.ToString(CultureInfo.InvariantCulture),
            ["Inference__Batch__ConcurrentPartitions"] = "1",
            ["services__registry__grpc__0"] = services.Registry.Grpc.ToString(),
            ["services__featurestore__grpc__0"] = $"http://127.0.0.1:{services.FeaturePort}",
        };
        foreach (var (key, value) in more) environment[key] = value;
        var replica = await ServiceProcess.StartAsync("Inference", environment);
        _replicas.Add(replica);
        return replica;
    }

    public BatchClient ClientOf(ServiceProcess replica) => new(services.Channel(replica.Grpc));

    public async ValueTask DisposeAsync()
    {
        foreach (var replica in _replicas) await replica.DisposeAsync();
        await _database.DisposeAsync();
    }
}
