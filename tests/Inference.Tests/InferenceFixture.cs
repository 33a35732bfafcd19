using Google.Protobuf;
using Grpc.Net.Client;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Registry.V1;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

/// <summary>The built registry and the built service as real processes, with names and folders of their own.</summary>
public sealed class InferenceFixture : IAsyncLifetime
{
    private readonly PostgresDatabase<InferenceFixture> _database = new();
    private readonly PostgresDatabase<BatchWork> _work = new();
    private readonly BusPrefix<InferenceFixture> _prefix = new();
    private readonly string _root = Directory.CreateTempSubdirectory("inference-").FullName;
    private readonly int _featurePort = FreePorts.Take();
    private readonly List<IDisposable> _channels = [];
    private ServiceProcess? _registry;
    private ServiceProcess? _inference;

    /// <summary>Only for tests that run, which is when the servers are there.</summary>
    public ServiceProcess Registry => _registry!;

    /// <inheritdoc cref="Registry"/>
    public ServiceProcess Inference => _inference!;

    public string BusPrefix => _prefix.Value;

    /// <summary>The service's own database, which its replicas share.</summary>
    public string WorkDatabase => _work.ConnectionString;

    /// <summary>Where the fixture's own service expects the feature store.</summary>
    public int FeaturePort => _featurePort;

    public HttpClient Http { get; } = new(new SocketsHttpHandler { RequestHeaderEncodingSelector = (_, _) => System.Text.Encoding.UTF8 }) { Timeout = TimeSpan.FromSeconds(30) };

    public RegistryService.RegistryServiceClient Versions { get; private set; } = null!;

    public GRPCInferenceService.GRPCInferenceServiceClient Tensors { get; private set; } = null!;

    public InferenceService.InferenceServiceClient Entities { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        await _database.InitializeAsync();
        await _work.InitializeAsync();
        if (!Servers.AreThere) return;
        _registry = await ServiceProcess.StartAsync("Registry", new Dictionary<string, string?>
        {
            ["ConnectionStrings__registrydb"] = _database.ConnectionString,
            ["ConnectionStrings__rabbitmq"] = Servers.RabbitMq,
            ["Bus__Prefix"] = BusPrefix,
            ["Storage__Folder"] = NewFolder("registry"),
        });
        Versions = new RegistryService.RegistryServiceClient(Channel(_registry.Grpc));
        _inference = await StartInferenceAsync(NewFolder("inference"));
        Tensors = new GRPCInferenceService.GRPCInferenceServiceClient(Channel(_inference.Grpc));
        Entities = new InferenceService.InferenceServiceClient(Channel(_inference.Grpc));
        Http.BaseAddress = _inference.Http;
    }

    public async Task DisposeAsync()
    {
        Http.Dispose();
        foreach (var channel in _channels) channel.Dispose();
        if (_inference is not null) await _inference.DisposeAsync();
        if (_registry is not null) await _registry.DisposeAsync();
        await _database.DisposeAsync();
        await _work.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    /// <summary>Another replica on a folder of its own; a prefix of its own keeps its events apart.</summary>
    public Task<ServiceProcess> StartInferenceAsync(
        string folder, string? prefix = null, string? rabbitMq = null, params (string Key, string Value)[] more)
    {
        var environment = new Dictionary<string, string?>
        {
            ["ConnectionStrings__rabbitmq"] = rabbitMq ?? Servers.RabbitMq,
            // Replicas that share the database share the bus, or events of one would leave on the other's.
            ["ConnectionStrings__inferencedb"] = prefix is null ? WorkDatabase : null,
            ["Bus__Prefix"] = prefix ?? BusPrefix,
            ["Storage__Folder"] = folder,
            ["services__registry__grpc__0"] = Registry.Grpc.ToString(),
            ["services__featurestore__grpc__0"] = $"http://127.0.0.1:{_featurePort}",
            // All tests register models at one registry; a test of eviction sets a bound of its own.
            ["Inference__MaxLoadedVersions"] = "2000",
        };
        foreach (var (key, value) in more) environment[key] = value;
        return ServiceProcess.StartAsync("Inference", environment);
    }

    public GrpcChannel Channel(Uri address)
    {
        var channel = GrpcChannel.ForAddress(address);
        _channels.Add(channel);
        return channel;
    }

    public string NewFolder(string word) => Directory.CreateDirectory(Path.Combine(_root, $"{word}-{Guid.NewGuid():N}")).FullName;

    /// <summary>A name no other test has.</summary>
    public static string NewName(string word) => $"{word}-{Guid.NewGuid():N}";

    /// <summary>A new model by that name with one version.</summary>
    public async Task<string> NewModelAsync(
        byte[] onnx, Signature signature, string featureService = "", string word = "model", byte[]? profile = null)
    {
        var model = NewName(word);
        await RegisterAsync(model, onnx, signature, featureService, profile);
        return model;
    }

    public async Task<int> RegisterAsync(
        string model, byte[] onnx, Signature signature, string featureService = "", byte[]? profile = null)
    {
        var version = await Versions.RegisterModelVersionAsync(new RegisterModelVersionRequest
        {
            Model = model,
            RunId = Guid.NewGuid().ToString("N"),
            ArtifactDigest = await UploadAsync(onnx),
            ProfileDigest = profile is null ? "" : await UploadAsync(profile),
            Signature = signature,
            FeatureService = featureService,
        });
        return version.Version;
    }

    private async Task<string> UploadAsync(byte[] content)
    {
        using var call = Versions.UploadArtifact();
        await call.RequestStream.WriteAsync(new UploadArtifactRequest { Header = new() { Name = "artifact" } });
        foreach (var chunk in content.Chunk(64 * 1024))
        {
            await call.RequestStream.WriteAsync(new UploadArtifactRequest { Chunk = ByteString.CopyFrom(chunk) });
        }

        await call.RequestStream.CompleteAsync();
        return (await call).Digest;
    }

    public async Task SetAliasAsync(string model, string alias, int version) => await Versions.SetAliasAsync(
        new SetAliasRequest { Model = model, Alias = alias, Version = version, Actor = "test", Reason = "test" });
}

/// <summary>Names the second database.</summary>
public sealed class BatchWork;

[CollectionDefinition(nameof(InferenceFixture))]
public sealed class InferenceCollection : ICollectionFixture<InferenceFixture>;
