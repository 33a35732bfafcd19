using MassTransit;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Options;
using MlOps.Gateway.Access;
using MlOps.Gateway.Access.Keys;
using MlOps.Gateway.Experiments;
using MlOps.Gateway.JsonCalls;
using MlOps.Gateway.OpenApi;
using MlOps.Gateway.Resilience;
using MlOps.Gateway.Rollouts;
using MlOps.Gateway.Routes;
using MlOps.Gateway.Shadows;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway;

/// <summary>The gateway, put together but not yet started.</summary>
internal static class GatewayApplication
{
    public static WebApplication Build(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.AddServiceDefaults("Gateway", isDoor: true);
        builder.AddDatabase("gatewaydb");
        builder.AddBus(bus =>
        {
            bus.AddConsumer<TrafficPolicyChangedConsumer, EveryReplica>();
            bus.AddConsumer<ApiKeysChangedConsumer, KeysOnEveryReplica>();
            bus.AddConsumer<ChallengerNamedConsumer>();
        });
        builder.Services.AddValidatedOptions<GatewayOptions>("Gateway");
        builder.Services.AddSingleton<GatewayMetrics>();
        builder.Services.AddOptions<KestrelServerOptions>().Configure<IOptions<GatewayOptions>>((kestrel, gateway) =>
        {
            kestrel.Limits.MaxRequestBodySize = gateway.Value.MaxRequestBodyBytes;
            kestrel.Limits.RequestHeadersTimeout = gateway.Value.RequestHeadersTimeout;
            kestrel.Limits.MaxConcurrentConnections = gateway.Value.MaxConnections;
            // A client that vanished without a word is noticed, however long its stream is silent.
            kestrel.Limits.Http2.KeepAlivePingDelay = TimeSpan.FromSeconds(30);
        });

        builder.Services
            .AddSingleton<ForcedArm>().AddSingleton<AssignmentCounts>().AddSingleton<PolicyBook>().AddHostedService<PolicyRefresh>()
            .AddSingleton<PutTrafficPolicy>().AddSingleton<DeleteTrafficPolicy>()
            .AddSingleton<TrafficPolicyChanges>().AddSingleton<ListTrafficPolicyChanges>()
            .AddSingleton<PolicyFileWatch>().AddHostedService(services => services.GetRequiredService<PolicyFileWatch>());
        builder.Services.AddHealthChecks().AddCheck<PolicyFileHealth>("policy file");
        builder.Services.ConfigureHttpJsonOptions(json => PolicyJson.Configure(json.SerializerOptions));
        builder.AddAccess();
        builder.AddRollouts();
        builder.AddShadows();
        builder.AddExperiments();
        builder.AddPlatformRoutes();
        builder.AddResilience();
        builder.AddPlatformHealth();
        builder.AddReflection();
        builder.Services.AddSingleton<ApiDocument>();

        var app = builder.Build();
        app.MapServiceDefaults();
        // What comes as JSON is routed as the call it stands for.
        app.UseMiddleware<JsonBridge>();
        app.UseRouting();
        app.UseAccess();
        app.MapPlatformHealth();
        app.MapDocumentation();
        app.MapTrafficPolicies();
        app.MapAccess();
        app.MapRollouts();
        app.MapShadows();
        app.MapExperiments();
        app.MapGrpcService<GatewayGrpcService>();
        app.MapReflection();
        app.MapPlatformRoutes();
        return app;
    }
}
