using System.Net;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;

namespace MlOps.Benchmarks.Peers;

/// <summary>YARP with one route and one destination per protocol: what any gateway built on it can reach.</summary>
internal static class BareProxy
{
    public static async Task RunAsync(int rest, int grpc, string restTarget, string grpcTarget)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, rest, o => o.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, grpc, o => o.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddReverseProxy().LoadFromMemory(
            [Route("rest", rest), Route("grpc", grpc)],
            [
                Cluster("rest", restTarget, new ForwarderRequestConfig()),
                Cluster("grpc", grpcTarget, new ForwarderRequestConfig
                {
                    Version = HttpVersion.Version20, VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                }),
            ]);
        var app = builder.Build();
        app.MapReverseProxy();
        await app.RunAsync();
    }

    private static RouteConfig Route(string name, int port) => new()
    {
        RouteId = name,
        ClusterId = name,
        Match = new RouteMatch { Path = "/{**path}", Hosts = [$"127.0.0.1:{port}"] },
    };

    private static ClusterConfig Cluster(string name, string target, ForwarderRequestConfig request) => new()
    {
        ClusterId = name,
        HttpRequest = request,
        Destinations = new Dictionary<string, DestinationConfig> { [name] = new() { Address = target } },
    };
}
