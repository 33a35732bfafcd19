using Grpc.Core;
using MlOps.Contracts.Gateway.V1;
using MlOps.Gateway.Access.Keys;
using MlOps.TestServers;
using NewApiKey = MlOps.Contracts.Gateway.V1.NewApiKey;

namespace MlOps.Gateway.Tests.Access;

/// <summary>A gateway that asks for keys, its peer, and the key it was configured with, for all tests of a class.</summary>
public sealed class ClosedPlatform<TTest> : IAsyncLifetime
{
    private readonly PostgresDatabase<TTest> _database = new();
    private readonly BusPrefix<TTest> _prefix = new();
    private GatewayReplica? _gateway;

    public string AdminKey { get; } = KeyText.Of(KeyText.NewId(), KeyText.NewSecret());

    internal InferencePeer Peer { get; } = new();

    internal GatewayReplica Gateway => _gateway ?? throw new InvalidOperationException("There are no servers.");

    internal AccessService.AccessServiceClient Access => new(Gateway.Channel);

    internal Npgsql.NpgsqlDataSource Database => _database.DataSource;

    internal Metadata Admin => As(AdminKey);

    internal static Metadata As(string key) => new() { { "authorization", $"Bearer {key}" } };

    internal Task<GatewayReplica> StartReplicaAsync(params string[] more) => GatewayReplica.StartAsync(
        _database.ConnectionString, _prefix.Value, Peer, ["--Access:Mode=Closed", $"--Access:AdminKey={AdminKey}", .. more]);

    /// <summary>A key with these roles, each over the models of a pattern: <c>("viewer", "*")</c>.</summary>
    internal async Task<NewApiKey> KeyAsync(params (string Role, string Models)[] grants) => await Access.CreateApiKeyAsync(
        new CreateApiKeyRequest
        {
            Name = "a test's",
            Grants = { grants.Select(g => new Grant { Role = g.Role, Models = g.Models }) },
        },
        Admin, Samples.Soon);

    internal async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, string? key, HttpContent? content = null, GatewayReplica? replica = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        if (key is not null) request.Headers.Add("x-api-key", key);
        return await (replica ?? Gateway).Rest.SendAsync(request);
    }

    public async Task InitializeAsync()
    {
        await _database.InitializeAsync();
        if (!Servers.AreThere) return;
        await Peer.StartAsync();
        _gateway = await StartReplicaAsync();
    }

    public async Task DisposeAsync()
    {
        if (_gateway is not null) await _gateway.DisposeAsync();
        await Peer.DisposeAsync();
        await _database.DisposeAsync();
    }
}
