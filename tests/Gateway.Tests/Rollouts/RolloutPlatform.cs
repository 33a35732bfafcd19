using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Registry.V1;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Rollouts;

/// <summary>Two built gateways before two built Inference services, with Registry and Monitoring: all as real processes.</summary>
public sealed class RolloutPlatform : IAsyncLifetime
{
    private readonly PostgresDatabase<RolloutPlatform> _database = new();
    private readonly PostgresDatabase<RegistryService.RegistryServiceClient> _registryDatabase = new();
    private readonly PostgresDatabase<MonitoringService.MonitoringServiceClient> _monitoringDatabase = new();
    private readonly BusPrefix<RolloutPlatform> _prefix = new();
    private readonly string _root = Directory.CreateTempSubdirectory("rollouts-").FullName;
    private InferencePeer Others { get; } = new();
    private readonly List<ServiceProcess> _processes = [];
    private readonly List<GrpcChannel> _channels = [];

    /// <summary>Longest wait for what a rollout does by itself, on a machine that has other things to do.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromMinutes(4);

    // All are set wherever tests run, which is where the servers are.
    internal RegistryService.RegistryServiceClient Registry { get; private set; } = null!;

    internal MonitoringService.MonitoringServiceClient Monitoring { get; private set; } = null!;

    internal IReadOnlyList<ServiceProcess> Inferences { get; private set; } = [];

    internal IReadOnlyList<RolloutDoor> Doors { get; private set; } = [];

    internal RolloutService.RolloutServiceClient Rollouts => Doors[0].Rollouts;

    internal Npgsql.NpgsqlDataSource Database => _database.DataSource;

    public async Task InitializeAsync()
    {
        await _database.InitializeAsync();
        await _registryDatabase.InitializeAsync();
        await _monitoringDatabase.InitializeAsync();
        if (!Servers.AreThere) return;
        await Others.StartAsync();
        var registry = await StartAsync("Registry", new()
        {
            ["ConnectionStrings__registrydb"] = _registryDatabase.ConnectionString,
            ["Storage__Folder"] = NewFolder(),
        });
        var monitoring = await StartAsync("Monitoring", new()
        {
            ["ConnectionStrings__monitoringdb"] = _monitoringDatabase.ConnectionString,
            ["services__registry__grpc__0"] = registry.Grpc.ToString(),
        });
        Registry = new(Channel(registry));
        Monitoring = new(Channel(monitoring));
        Inferences = [await StartInferenceAsync(registry), await StartInferenceAsync(registry)];
        Doors = [await StartGatewayAsync(registry, monitoring), await StartGatewayAsync(registry, monitoring)];
    }

    public async Task DisposeAsync()
    {
        foreach (var door in Doors) door.Dispose();
        foreach (var channel in _channels) channel.Dispose();
        foreach (var process in Enumerable.Reverse(_processes)) await process.DisposeAsync();
        await Others.DisposeAsync();
        await _monitoringDatabase.DisposeAsync();
        await _registryDatabase.DisposeAsync();
        await _database.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    /// <summary>A new model with these versions, the first of them the champion, known to every replica.</summary>
    internal async Task<string> NewModelAsync(string word, params byte[][] versions)
    {
        var model = $"{word}-{Guid.NewGuid():N}";
        foreach (var onnx in versions)
        {
            await Registry.RegisterModelVersionAsync(new RegisterModelVersionRequest
            {
                Model = model,
                RunId = Guid.NewGuid().ToString("N"),
                ArtifactDigest = await UploadAsync(onnx),
                Signature = TrialModels.Signature,
            });
        }

        await SetAliasAsync(model, "champion", 1);
        foreach (var inference in Inferences) await KnowsChampionAsync(inference, model);
        return model;
    }

    internal async Task SetAliasAsync(string model, string alias, int version) => await Registry.SetAliasAsync(
        new SetAliasRequest { Model = model, Alias = alias, Version = version, Actor = "tests", Reason = "a test" });

    internal async Task<int> ChampionAsync(string model) => (await Registry.GetModelVersionAsync(
        new GetModelVersionRequest { Model = model, Alias = "champion" }, deadline: Samples.Soon)).Version;

    internal async Task<Rollout> StartAsync(string model, int version, RolloutPlan plan) => await Rollouts.StartRolloutAsync(
        new StartRolloutRequest { Model = model, Version = version, Plan = plan, Actor = "tests", Reason = "a test" }, deadline: Samples.Soon);

    /// <summary>The model's rollout when it is as wanted.</summary>
    internal async Task<Rollout> WhenAsync(string model, Func<Rollout, bool> isWanted, Func<Task>? meanwhile = null)
    {
        Rollout? last = null;
        try
        {
            await Eventually.Async(
                async () =>
                {
                    if (meanwhile is not null) await meanwhile();
                    return isWanted(last = await GetAsync(model));
                },
                Deadline, "the rollout is as wanted");
            return last!; // the condition above held
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}: {last}", e);
        }
    }

    internal Task<Rollout> WhenInAsync(string model, string phase) => WhenAsync(model, r => r.Phase == phase);

    /// <summary>From whichever gateway is there.</summary>
    internal async Task<Rollout> GetAsync(string model)
    {
        foreach (var door in Doors.Where(d => d.Process.IsRunning))
        {
            try
            {
                return await door.Rollouts.GetRolloutAsync(new GetRolloutRequest { Model = model }, deadline: Samples.Soon);
            }
            catch (RpcException e) when (e.StatusCode is StatusCode.Unavailable)
            {
            }
        }

        throw new InvalidOperationException("No gateway answers.");
    }

    // An answer by the first version says less: before the alias is known the newest one there is answers.
    private static async Task KnowsChampionAsync(ServiceProcess inference, string model)
    {
        using var http = new HttpClient { BaseAddress = inference.Http };
        await Eventually.Async(
            async () =>
            {
                using var answer = await http.GetAsync($"/v2/models/{model}/versions/champion/ready");
                return answer.IsSuccessStatusCode;
            },
            Deadline);
    }

    private Task<ServiceProcess> StartInferenceAsync(ServiceProcess registry) => StartAsync("Inference", new()
    {
        ["Storage__Folder"] = NewFolder(),
        ["services__registry__grpc__0"] = registry.Grpc.ToString(),
        ["services__featurestore__grpc__0"] = $"http://127.0.0.1:{Others.GrpcPort}",
    });

    private async Task<RolloutDoor> StartGatewayAsync(ServiceProcess registry, ServiceProcess monitoring)
    {
        var environment = new Dictionary<string, string?>
        {
            ["ConnectionStrings__gatewaydb"] = _database.ConnectionString,
            // So that a test sees what the event alone does.
            ["Gateway__PolicyCheckInterval"] = "00:05:00",
            ["Rollouts__LookInterval"] = "00:00:00.2",
            ["Rollouts__FlushInterval"] = "00:00:00.2",
            ["Rollouts__MonitoringInterval"] = "00:00:01",
            ["Rollouts__Lease"] = "00:00:03",
            ["Rollouts__SettleTime"] = "00:00:02",
        };
        foreach (var service in new[] { "featurestore", "training" })
        {
            environment[$"services__{service}__http__0"] = $"http://127.0.0.1:{Others.HttpPort}";
            environment[$"services__{service}__grpc__0"] = $"http://127.0.0.1:{Others.GrpcPort}";
        }

        (string Name, int Number, ServiceProcess Process)[] behind =
            [("registry", 0, registry), ("monitoring", 0, monitoring), .. Inferences.Select((p, i) => ("inference", i, p))];
        foreach (var (name, number, process) in behind)
        {
            environment[$"services__{name}__http__{number}"] = process.Http.ToString();
            environment[$"services__{name}__grpc__{number}"] = process.Grpc.ToString();
        }

        return new RolloutDoor(await StartAsync("Gateway", environment));
    }

    private async Task<ServiceProcess> StartAsync(string name, Dictionary<string, string?> environment)
    {
        environment["ConnectionStrings__rabbitmq"] = Servers.RabbitMq;
        environment["Bus__Prefix"] = _prefix.Value;
        var process = await ServiceProcess.StartAsync(name, environment, deadline: TimeSpan.FromMinutes(2));
        _processes.Add(process);
        return process;
    }

    private GrpcChannel Channel(ServiceProcess process)
    {
        var channel = GrpcChannel.ForAddress(process.Grpc);
        _channels.Add(channel);
        return channel;
    }

    private string NewFolder() => Directory.CreateDirectory(Path.Combine(_root, Guid.NewGuid().ToString("N"))).FullName;

    private async Task<string> UploadAsync(byte[] content)
    {
        using var call = Registry.UploadArtifact();
        await call.RequestStream.WriteAsync(new UploadArtifactRequest { Header = new() { Name = "artifact" } });
        foreach (var chunk in content.Chunk(64 * 1024))
        {
            await call.RequestStream.WriteAsync(new UploadArtifactRequest { Chunk = ByteString.CopyFrom(chunk) });
        }

        await call.RequestStream.CompleteAsync();
        return (await call).Digest;
    }
}

/// <summary>A gateway of the platform and clients of it.</summary>
internal sealed class RolloutDoor : IDisposable
{
    public RolloutDoor(ServiceProcess process)
    {
        Process = process;
        Channel = GrpcChannel.ForAddress(process.Grpc);
        Rest = new HttpClient { BaseAddress = process.Http };
        Rollouts = new(Channel);
        Policies = new(Channel);
        Inference = new(Channel);
    }

    public ServiceProcess Process { get; }

    public GrpcChannel Channel { get; }

    public HttpClient Rest { get; }

    public RolloutService.RolloutServiceClient Rollouts { get; }

    public GatewayService.GatewayServiceClient Policies { get; }

    public GRPCInferenceService.GRPCInferenceServiceClient Inference { get; }

    public static StringContent Json(double x) => new(
        FormattableString.Invariant($$"""{"inputs":[{"name":"x","datatype":"FP32","shape":[1,1],"data":[{{x}}]}]}"""),
        System.Text.Encoding.UTF8, "application/json");

    public void Dispose()
    {
        Rest.Dispose();
        Channel.Dispose();
    }
}

/// <summary>Their tests share one platform, and run one after the other.</summary>
[CollectionDefinition(nameof(RolloutPlatform))]
public sealed class RolloutCollection : ICollectionFixture<RolloutPlatform>;
