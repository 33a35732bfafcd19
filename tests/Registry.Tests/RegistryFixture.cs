using Google.Protobuf;
using Grpc.Net.Client;
using MlOps.Contracts.Registry.V1;
using MlOps.TestServers;
using Npgsql;

namespace MlOps.Registry.Tests;

/// <summary>The built registry as a real process on a database, a folder and bus names of its own.</summary>
public sealed class RegistryFixture : IAsyncLifetime
{
    public const int MaxArtifactBytes = 1_000_000;
    private readonly PostgresDatabase<RegistryFixture> _database = new();
    private readonly BusPrefix<RegistryFixture> _prefix = new();
    private ServiceProcess? _process;
    private GrpcChannel? _channel;

    public string Folder { get; } = Directory.CreateTempSubdirectory("registry-").FullName;

    public string BusPrefix => _prefix.Value;

    public NpgsqlDataSource Database => _database.DataSource;

    /// <summary>Only for tests that run, which is when the servers are there.</summary>
    public ServiceProcess Process => _process!;

    public RegistryService.RegistryServiceClient Client { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        await _database.InitializeAsync();
        if (!Servers.AreThere) return;
        _process = await ServiceProcess.StartAsync("Registry", new Dictionary<string, string?>
        {
            ["ConnectionStrings__registrydb"] = _database.ConnectionString,
            ["ConnectionStrings__rabbitmq"] = Servers.RabbitMq,
            ["Bus__Prefix"] = BusPrefix,
            ["Storage__Folder"] = Folder,
            ["Registry__MaxArtifactBytes"] = "1000000",
        });
        _channel = GrpcChannel.ForAddress(_process.Grpc);
        Client = new RegistryService.RegistryServiceClient(_channel);
    }

    public async Task DisposeAsync()
    {
        _channel?.Dispose();
        if (_process is not null) await _process.DisposeAsync();
        await _database.DisposeAsync();
        Directory.Delete(Folder, recursive: true);
    }

    /// <summary>A name no other test has.</summary>
    public static string NewName(string word) => $"{word}-{Guid.NewGuid():N}";

    public static string NewRunId() => Guid.NewGuid().ToString("N");

    public async Task<Artifact> UploadAsync(byte[] content, string expectedDigest = "", int chunkBytes = 64 * 1024)
    {
        using var call = Client.UploadArtifact();
        await call.RequestStream.WriteAsync(new UploadArtifactRequest
        {
            Header = new() { Name = "model.onnx", ExpectedDigest = expectedDigest },
        });
        foreach (var chunk in content.Chunk(chunkBytes))
        {
            await call.RequestStream.WriteAsync(new UploadArtifactRequest { Chunk = ByteString.CopyFrom(chunk) });
        }

        await call.RequestStream.CompleteAsync();
        return await call;
    }

    public async Task<byte[]> DownloadAsync(string digest)
    {
        using var call = Client.DownloadArtifact(new DownloadArtifactRequest { Digest = digest });
        using var content = new MemoryStream();
        while (await call.ResponseStream.MoveNext(CancellationToken.None))
        {
            call.ResponseStream.Current.Chunk.WriteTo(content);
        }

        return content.ToArray();
    }

    /// <summary>A request that the registry takes, for a model file of its own.</summary>
    public async Task<RegisterModelVersionRequest> NewVersionAsync(string model)
    {
        var artifact = await UploadAsync(Guid.NewGuid().ToByteArray());
        return new RegisterModelVersionRequest
        {
            Model = model,
            RunId = NewRunId(),
            ArtifactDigest = artifact.Digest,
            Signature = new Signature
            {
                Inputs = { new TensorSpec { Name = "distance", Datatype = "FP32", Shape = { -1, 1 }, Nullable = true } },
                Outputs = { new TensorSpec { Name = "delay", Datatype = "FP32", Shape = { -1, 1 } } },
            },
        };
    }
}

[CollectionDefinition(nameof(RegistryFixture))]
public sealed class RegistryCollection : ICollectionFixture<RegistryFixture>;
