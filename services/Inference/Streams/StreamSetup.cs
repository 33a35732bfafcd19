using Microsoft.Extensions.Options;
using MlOps.Contracts.Gateway.V1;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Streams;

/// <summary>Puts stream scoring together. It needs the service's database; predictions do not.</summary>
internal static class StreamSetup
{
    public static void AddStreams(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddValidatedOptions<StreamOptions>("Inference:Streams");
        if (!string.IsNullOrEmpty(builder.Configuration[StreamPolicies.AddressKey]))
        {
            builder.AddServiceClient<GatewayService.GatewayServiceClient>("gateway");
        }

        services.AddSingleton(s => new StreamPolicies(
            s.GetService<GatewayService.GatewayServiceClient>(), s.GetRequiredService<IOptions<StreamOptions>>(),
            s.GetRequiredService<TimeProvider>(), s.GetRequiredService<ILogger<StreamPolicies>>()));
        services.AddHostedService(s => s.GetRequiredService<StreamPolicies>());
        services.AddSingleton<StreamTelemetry>().AddSingleton<StreamRules>().AddSingleton<StreamBroker>().AddSingleton<StreamBook>();
        services.AddSingleton<StreamLedger>().AddSingleton<StreamWebhook>();
        services.AddSingleton<ScoreStreamMessage>().AddSingleton<AnswerStreamMessages>().AddSingleton<ConsumeStream>();
        services.AddHostedService<RunStreams>();
    }

    public static void MapStreams(this WebApplication app)
    {
        app.MapGrpcService<StreamGrpcService>();
        StreamEndpoints.Map(app);
    }
}
