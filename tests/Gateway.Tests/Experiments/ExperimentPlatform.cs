using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Grpc.Net.Client;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.Registry.V1;
using MlOps.Gateway.Tests.Rollouts;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Experiments;

/// <summary>Gateways in this process before built Inference, Registry and Monitoring as real processes.</summary>
public sealed class ExperimentPlatform : IAsyncLifetime
{
    public static readonly TimeSpan Deadline = TimeSpan.FromMinutes(3);
    private const int Callers = 8;
    private readonly PostgresDatabase<ExperimentPlatform> _database = new();
    private readonly PostgresDatabase<ExperimentService.ExperimentServiceClient> _registryDatabase = new();
    private readonly PostgresDatabase<ExperimentReadout> _monitoringDatabase = new();
    private readonly BusPrefix<ExperimentPlatform> _prefix = new();
    private readonly string _root = Directory.CreateTempSubdirectory("experiments-").FullName;
    private readonly List<ServiceProcess> _processes = [];
    private readonly List<GrpcChannel> _channels = [];
    private string[] _behind = [];

    // All are set wherever tests run, which is where the servers are.
    internal GatewayReplica Gateway { get; private set; } = null!;

    internal RegistryService.RegistryServiceClient Registry { get; private set; } = null!;

    internal MonitoringService.MonitoringServiceClient Monitoring { get; private set; } = null!;

    internal ExperimentService.ExperimentServiceClient Experiments => new(Gateway.Channel);

    internal InferencePeer Peer { get; } = new();

    internal Npgsql.NpgsqlDataSource Database => _database.DataSource;

    public async Task InitializeAsync()
    {
        await _database.InitializeAsync();
        await _registryDatabase.InitializeAsync();
        await _monitoringDatabase.InitializeAsync();
        if (!Servers.AreThere) return;
        await Peer.StartAsync();
        var registry = await StartAsync("Registry", new()
        {
            ["ConnectionStrings__registrydb"] = _registryDatabase.ConnectionString,
            ["Storage__Folder"] = Path.Combine(_root, "registry"),
        });
        var monitoring = await StartAsync("Monitoring", new()
        {
            ["ConnectionStrings__monitoringdb"] = _monitoringDatabase.ConnectionString,
            ["services__registry__grpc__0"] = registry.Grpc.ToString(),
        });
        var inference = await StartAsync("Inference", new()
        {
            ["Storage__Folder"] = Path.Combine(_root, "inference"),
            ["services__registry__grpc__0"] = registry.Grpc.ToString(),
            ["services__featurestore__grpc__0"] = $"http://127.0.0.1:{Peer.GrpcPort}",
        });
        Registry = new(Channel(registry));
        Monitoring = new(Channel(monitoring));
        _behind =
        [
            .. new[] { ("registry", registry), ("monitoring", monitoring), ("inference", inference) }.SelectMany(s => new[]
            {
                $"--services:{s.Item1}:http:0={s.Item2.Http}", $"--services:{s.Item1}:grpc:0={s.Item2.Grpc}",
            }),
        ];
        Gateway = await StartReplicaAsync();
    }

    internal Task<GatewayReplica> StartReplicaAsync(params string[] more) => GatewayReplica.StartAsync(
        _database.ConnectionString, _prefix.Value, Peer,
        [.. _behind, "--Experiments:SettleTime=00:00:00", "--Experiments:LookInterval=00:00:00.5", .. more]);

    /// <summary>As when it is stopped and started again.</summary>
    internal async Task RestartAsync()
    {
        await Gateway.DisposeAsync();
        Gateway = await StartReplicaAsync();
    }

    public async Task DisposeAsync()
    {
        if (Servers.AreThere) await Gateway.DisposeAsync();
        foreach (var channel in _channels) channel.Dispose();
        foreach (var process in Enumerable.Reverse(_processes)) await process.DisposeAsync();
        await Peer.DisposeAsync();
        await _monitoringDatabase.DisposeAsync();
        await _registryDatabase.DisposeAsync();
        await _database.DisposeAsync();
        Directory.Delete(_root, recursive: true);
    }

    /// <summary>A new model of versions 1 and 2, whose predictions are 2x and 2x + 1.</summary>
    internal async Task<string> NewModelAsync(string word)
    {
        var model = $"{word}-{Guid.NewGuid():N}";
        for (var version = 1; version <= 2; version++)
        {
            await Registry.RegisterModelVersionAsync(new RegisterModelVersionRequest
            {
                Model = model,
                RunId = Guid.NewGuid().ToString("N"),
                ArtifactDigest = await UploadAsync(TrialModels.Line(version - 1)),
                Signature = TrialModels.Signature,
            });
        }

        await Registry.SetAliasAsync(new SetAliasRequest { Model = model, Alias = "champion", Version = 1, Actor = "tests", Reason = "a test" });
        return model;
    }

    /// <summary>One prediction for each subject; all must be answered.</summary>
    internal async Task<IReadOnlyList<Met>> AskAsync(string model, IEnumerable<string> subjects, GatewayReplica? replica = null)
    {
        var met = new System.Collections.Concurrent.ConcurrentQueue<Met>();
        await Parallel.ForEachAsync(subjects, new ParallelOptions { MaxDegreeOfParallelism = Callers }, async (subject, ct) =>
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, $"/v2/models/{model}/infer") { Content = RolloutDoor.Json(0.25) };
            request.Headers.Add("x-mlops-subject", subject);
            using var answer = await (replica ?? Gateway).Rest.SendAsync(request, ct);
            Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync(ct));
            met.Enqueue(new Met(subject, One(answer, "x-mlops-variant"), One(answer, "x-mlops-model-version"), One(answer, "x-mlops-prediction-id")));
        });
        return [.. met];
    }

    /// <summary>The read-out once Monitoring has so many subjects.</summary>
    internal async Task<JsonObject> ReadAsync(string name, long subjects)
    {
        JsonObject? last = null;
        try
        {
            await Eventually.Async(
                async () =>
                {
                    last = await Gateway.Rest.GetFromJsonAsync<JsonObject>($"/v1/experiments/{name}/readout");
                    return last?["sample_ratio"]?["arms"]?.AsArray().Sum(a => a?["subjects"]?.GetValue<long>() ?? 0) == subjects;
                },
                Deadline, $"{subjects} subjects in the read-out");
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}: {last}", e);
        }

        return last!; // the condition above held
    }

    /// <summary>Sends JSON and answers JSON, of the status that is expected.</summary>
    internal async Task<JsonObject> SendAsync(HttpMethod method, string path, object? body = null, int expected = 200, string? ifMatch = null)
    {
        using var request = new HttpRequestMessage(method, path);
        if (body is not null) request.Content = JsonContent.Create(body);
        if (ifMatch is not null) request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        using var answer = await Gateway.Rest.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True((int)answer.StatusCode == expected, $"{method} {path}: {(int)answer.StatusCode} {text}");
        return text.Length == 0 ? [] : JsonNode.Parse(text)?.AsObject() ?? [];
    }

    private static string One(HttpResponseMessage answer, string header) =>
        answer.Headers.TryGetValues(header, out var values) ? values.Single() : "";

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

    private async Task<string> UploadAsync(byte[] content)
    {
        using var call = Registry.UploadArtifact();
        await call.RequestStream.WriteAsync(new UploadArtifactRequest { Header = new() { Name = "artifact" } });
        await call.RequestStream.WriteAsync(new UploadArtifactRequest { Chunk = ByteString.CopyFrom(content) });
        await call.RequestStream.CompleteAsync();
        return (await call).Digest;
    }
}

/// <summary>What a subject met.</summary>
internal sealed record Met(string Subject, string Arm, string Version, string PredictionId);

/// <summary>Their tests share one platform, and run one after the other.</summary>
[CollectionDefinition(nameof(ExperimentPlatform))]
public sealed class ExperimentCollection : ICollectionFixture<ExperimentPlatform>;
