using System.Net;
using Microsoft.AspNetCore.Http.Extensions;
using Microsoft.Net.Http.Headers;
using MlOps.Gateway.Access;
using MlOps.Gateway.Audit;
using MlOps.Gateway.Resilience;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;
using Yarp.ReverseProxy.Configuration;
using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Transforms;

namespace MlOps.Gateway.Routes;

/// <summary>Every public path of every service, on one address; whatever else is asked gets an answer that names what exists.</summary>
internal static class PlatformRoutes
{
    private const string Replicated = "replicated";

    // The server reads headers as UTF-8; a subject that is no ASCII goes on as it came.
    private static readonly HttpClientConfig Client = new() { RequestHeaderEncoding = "utf-8" };

    public static void AddPlatformRoutes(this WebApplicationBuilder builder)
    {
        var options = builder.Configuration.GetSection("Gateway").Get<GatewayOptions>() ?? new GatewayOptions();
        var services = PlatformService.All;
        var credential = new PlatformCredential(builder.Configuration);
        builder.Services.AddReverseProxy()
            .LoadFromMemory(
                [.. services.SelectMany(Routes)],
                [.. services.SelectMany(s => Clusters(s, builder.Configuration, options))])
            .AddTransforms(transforms =>
            {
                // What opens this door opens no other.
                transforms.AddRequestHeaderRemove(HeaderNames.Authorization);
                transforms.AddRequestHeaderRemove(Authenticator.KeyHeader);
                transforms.RequestTransforms.Add(new PlatformCredentialHeader(credential));
                transforms.RequestTransforms.Add(new TraceContextHeaders());
                transforms.AddResponseTransform(EarlyAnswers.Note);
                if (transforms.Route.ClusterId?.StartsWith(PlatformService.Inference, StringComparison.Ordinal) == true)
                {
                    transforms.ResponseTransforms.Add(new ChosenArmHeaders());
                }
            })
            .ConfigureHttpClient((client, handler) =>
            {
                // TraceContextHeaders does that.
                handler.ActivityHeadersPropagator = null;
                // The only replica may be restarting; where there are others, they are asked instead.
                handler.ConnectPatiently(client.NewMetadata?.ContainsKey(Replicated) == true ? TimeSpan.Zero : options.RestartPatience);
                // A destination that vanished without a word fails its streams instead of leaving them silent.
                handler.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
                handler.KeepAlivePingTimeout = TimeSpan.FromSeconds(10);
                handler.KeepAlivePingPolicy = HttpKeepAlivePingPolicy.WithActiveRequests;
            });
    }

    public static void MapPlatformRoutes(this WebApplication app)
    {
        app.MapReverseProxy(proxy =>
        {
            proxy.UseMiddleware<Deadlines>();
            proxy.UseMiddleware<ForwardFailures>();
            proxy.UseMiddleware<SplitMiddleware>();
            // After the split, which leaves the body as it came.
            proxy.UseMiddleware<GuardedForwarding>();
            proxy.UseMiddleware<AuditedForwarding>();
            proxy.UseMiddleware<Retries>();
            proxy.UseLoadBalancing();
            proxy.UsePassiveHealthChecks();
            proxy.UseMiddleware<EarlyAnswers>();
        });
        app.MapFallback("{*path}", NothingHere).ExcludeFromDescription();
    }

    private static IEnumerable<RouteConfig> Routes(PlatformService service) =>
        service.GrpcServices.Select(grpc => new RouteConfig
        {
            RouteId = $"{service.Name} grpc {grpc.FullName}",
            ClusterId = GrpcCluster(service),
            Match = new RouteMatch { Path = $"/{grpc.FullName}/{{method}}", Methods = ["POST"] },
        })
        .Concat(service.RestPaths.Select(path => new RouteConfig
        {
            RouteId = $"{service.Name} rest {path}",
            ClusterId = RestCluster(service),
            Match = new RouteMatch { Path = path },
            MaxRequestBodySize = path == PlatformService.UploadPath ? -1 : null,
        }));

    private static IEnumerable<ClusterConfig> Clusters(
        PlatformService service, IConfiguration configuration, GatewayOptions options)
    {
        var (grpc, rest) = (service.Addresses(configuration, "grpc"), service.Addresses(configuration, "http"));
        yield return new ClusterConfig
        {
            ClusterId = GrpcCluster(service),
            Destinations = Destinations(grpc),
            HealthCheck = Replicas.Checks(grpc.Count, options),
            Metadata = MetadataOf(grpc),
            HttpClient = Client,
            HttpRequest = new ForwarderRequestConfig
            {
                Version = HttpVersion.Version20,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                // Streams may be silent for as long as they like; a unary call carries its own deadline.
                ActivityTimeout = Timeout.InfiniteTimeSpan,
            },
        };
        yield return new ClusterConfig
        {
            ClusterId = RestCluster(service),
            Destinations = Destinations(rest),
            HealthCheck = Replicas.Checks(rest.Count, options),
            Metadata = MetadataOf(rest),
            HttpClient = Client,
            HttpRequest = new ForwarderRequestConfig
            {
                Version = HttpVersion.Version11,
                VersionPolicy = HttpVersionPolicy.RequestVersionExact,
                ActivityTimeout = options.RestActivityTimeout,
            },
        };
    }

    internal static string GrpcCluster(PlatformService service) => $"{service.Name} grpc";

    private static string RestCluster(PlatformService service) => $"{service.Name} rest";

    private static Dictionary<string, DestinationConfig> Destinations(IReadOnlyList<string> addresses) =>
        addresses.Select((address, i) => (Name: $"{i}", address))
            .ToDictionary(d => d.Name, d => new DestinationConfig { Address = d.address });

    private static Dictionary<string, string>? MetadataOf(IReadOnlyList<string> addresses) =>
        addresses.Count > 1 ? new() { [Replicated] = "" } : null;

    private static IResult NothingHere(HttpContext http)
    {
        var problem = $"{http.Request.Method} {http.Request.GetEncodedPathAndQuery()} is not served here.";
        if (GrpcAnswer.IsGrpc(http.Request))
        {
            GrpcAnswer.Write(http.Response, Grpc.Core.StatusCode.Unimplemented, "ROUTE_UNKNOWN", problem);
            return Results.Empty;
        }

        return TypedResults.Problem(
            statusCode: StatusCodes.Status404NotFound,
            detail: $"{problem} REST: {string.Join(", ", RestSurface)}. gRPC, on its own port: {string.Join(", ", GrpcSurface)}.",
            extensions: new Dictionary<string, object?> { ["code"] = "ROUTE_UNKNOWN" });
    }

    private static IEnumerable<string> RestSurface =>
        [
            "/docs", "/openapi.json", "/v2", "/v1/models", "/v1/batch-jobs", "/v1/streams", "/v1/traffic-policies", "/v1/rollouts",
            "/v1/shadows", "/v1/experiments", "/v1/access", "/v1/{service}/{method}", "/health", "/metrics",
        ];

    private static IEnumerable<string> GrpcSurface => PlatformService.All.SelectMany(s => s.GrpcServices).Select(s => s.FullName)
        .Append(Contracts.Gateway.V1.GatewayService.Descriptor.FullName)
        .Append(Contracts.Gateway.V1.RolloutService.Descriptor.FullName)
        .Append(Contracts.Gateway.V1.ShadowService.Descriptor.FullName)
        .Append(Contracts.Gateway.V1.ExperimentService.Descriptor.FullName)
        .Append(Contracts.Gateway.V1.AccessService.Descriptor.FullName).Append("grpc.health.v1.Health");
}
