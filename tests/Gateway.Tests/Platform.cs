using Grpc.Core;
using Grpc.Net.Client;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;
using MlOps.Contracts.Gateway.V1;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests;

/// <summary>A gateway in this process on real PostgreSQL and RabbitMQ, before a peer in the place of every service.</summary>
internal sealed class GatewayReplica : IAsyncDisposable
{
    public static readonly string[] Services = ["featurestore", "training", "registry", "inference", "monitoring"];

    private readonly WebApplication _app;

    private GatewayReplica(WebApplication app, GrpcChannel channel, HttpClient rest)
    {
        _app = app;
        Channel = channel;
        Rest = rest;
        Policies = new GatewayService.GatewayServiceClient(channel);
        Http2 = new HttpClient { BaseAddress = Grpc };
    }

    public GrpcChannel Channel { get; }

    public HttpClient Rest { get; }

    public GatewayService.GatewayServiceClient Policies { get; }

    public Uri Grpc => new(_app.Urls.Last());

    public Uri Http1 => new(_app.Urls.First());

    /// <summary>The gRPC side for requests made by hand.</summary>
    public HttpClient Http2 { get; }

    public T Get<T>() where T : notnull => _app.Services.GetRequiredService<T>();

    public IEnumerable<Endpoint> Endpoints => _app.Services.GetRequiredService<EndpointDataSource>().Endpoints;

    public static async Task<GatewayReplica> StartAsync(
        string database, string busPrefix, InferencePeer peer, params string[] more)
    {
        var app = GatewayApplication.Build(
        [
            $"--ConnectionStrings:gatewaydb={database}",
            $"--ConnectionStrings:rabbitmq={Servers.RabbitMq}",
            $"--Bus:Prefix={busPrefix}",
            .. Services.Select(s => $"--services:{s}:http:0=http://127.0.0.1:{peer.HttpPort}"),
            .. Services.Select(s => $"--services:{s}:grpc:0=http://127.0.0.1:{peer.GrpcPort}"),
            .. more,
        ]);
        await app.StartAsync();
        var channel = GrpcChannel.ForAddress(app.Urls.Last(), new GrpcChannelOptions
        {
            MaxReceiveMessageSize = 64 * 1024 * 1024,
            MaxSendMessageSize = 64 * 1024 * 1024,
        });
        return new GatewayReplica(app, channel, new HttpClient { BaseAddress = new Uri(app.Urls.First()) });
    }

    public Task StopAsync() => _app.StopAsync();

    public async ValueTask DisposeAsync()
    {
        Rest.Dispose();
        Http2.Dispose();
        Channel.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
    }
}

/// <summary>One replica and its peer for all tests of a class.</summary>
public sealed class Platform<TTest> : IAsyncLifetime
{
    private readonly PostgresDatabase<TTest> _database = new();
    private readonly BusPrefix<TTest> _prefix = new();
    private GatewayReplica? _gateway;

    internal InferencePeer Peer { get; } = new();

    internal GatewayReplica Gateway => _gateway ?? throw new InvalidOperationException("There are no servers.");

    internal Task<GatewayReplica> StartReplicaAsync(params string[] more) =>
        GatewayReplica.StartAsync(_database.ConnectionString, _prefix.Value, Peer, more);

    internal Npgsql.NpgsqlDataSource Database => _database.DataSource;

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

internal static class Samples
{
    /// <summary>Champion 90 %, challenger 10 %, salt "flights".</summary>
    public static TrafficPolicy NinetyTen(string model, double coverage = 1) => new()
    {
        Model = model,
        Arms =
        {
            new Arm { Name = "champion", Version = "1", Weight = 0.9 },
            new Arm { Name = "challenger", Version = "2", Weight = 0.1 },
        },
        Salt = "flights",
        Coverage = coverage,
        HasCoverage = true,
    };

    /// <summary>Everything to one arm, so that a test sees at once whether a request was split.</summary>
    public static TrafficPolicy Only(string model, string version) => new()
    {
        Model = model,
        Arms = { new Arm { Name = "only", Version = version, Weight = 1 } },
    };

    public static Task<TrafficPolicy> PutAsync(this GatewayService.GatewayServiceClient client, TrafficPolicy policy) =>
        client.PutTrafficPolicyAsync(
            new PutTrafficPolicyRequest { Policy = policy, Actor = "tests", Reason = "a test" }, deadline: Soon).ResponseAsync;

    public static DateTime Soon => TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(20);

    public static Metadata Subject(string subject) => new() { { "x-mlops-subject", subject } };
}
