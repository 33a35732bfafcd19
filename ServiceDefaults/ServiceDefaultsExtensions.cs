using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MlOps.ServiceDefaults.Failures;
using MlOps.ServiceDefaults.Health;
using MlOps.ServiceDefaults.Listening;
using MlOps.ServiceDefaults.Platform;
using MlOps.ServiceDefaults.Telemetry;

namespace MlOps.ServiceDefaults;

/// <summary>What every service of the platform shares, in two calls.</summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>
    /// Listens on <c>MLOPS_HTTP_PORT</c> (HTTP/1.1) and <c>MLOPS_GRPC_PORT</c> (HTTP/2) of <c>MLOPS_BIND</c> (default
    /// 127.0.0.1; 0 or no port: any free one), with TLS where <c>Tls:Certificate</c> names a certificate, and adds telemetry,
    /// health, gRPC and failures. Beyond loopback the service takes calls from the platform alone.
    /// </summary>
    /// <param name="builder">The builder to add to.</param>
    /// <param name="service">Name of the service, e.g. <c>Registry</c>; its sources and meters are <c>MlOps.Registry</c>.</param>
    /// <param name="isDoor">The gateway, which takes calls from outside and asks callers who they are itself.</param>
    public static WebApplicationBuilder AddServiceDefaults(this WebApplicationBuilder builder, string service, bool isDoor = false)
    {
        Listeners.Add(builder, needsCredential: !isDoor);
        builder.Services.AddSingleton(new Door(isDoor));
        builder.Environment.ApplicationName = $"MlOps.{service}";
        builder.Services.AddSingleton(TimeProvider.System);
        builder.Logging.AddSimpleConsole(console =>
        {
            console.SingleLine = true;
            console.UseUtcTimestamp = true;
            console.TimestampFormat = "HH:mm:ss.fff ";
        });
        Quieten(builder.Logging);
        builder.AddTelemetry();

        builder.Services.AddHealthChecks();
        builder.Services.AddSingleton<HealthState>();
        // Else one would be made for every call.
        builder.Services.AddSingleton<FailureInterceptor>();
        builder.Services.AddGrpc(grpc =>
        {
            grpc.Interceptors.Add<FailureInterceptor>();
            grpc.MaxReceiveMessageSize = ClientExtensions.MaxMessageSize;
            grpc.MaxSendMessageSize = ClientExtensions.MaxMessageSize;
        });
        builder.Services.AddProblemDetails();
        builder.Services.AddExceptionHandler<FailureExceptionHandler>();
        return builder;
    }

    /// <summary>Maps <c>/alive</c>, <c>/health</c>, <c>/metrics</c> and <c>grpc.health.v1</c>, and puts failure handling first.</summary>
    public static WebApplication MapServiceDefaults(this WebApplication app)
    {
        app.UseMiddleware<RequestSpans>();
        app.UseExceptionHandler();
        if (!app.Services.GetRequiredService<Door>().IsThis && app.Services.GetRequiredService<PlatformCredential>().IsConfigured)
            app.UseMiddleware<CredentialCheck>();
        HealthEndpoints.Map(app);
        app.MapGet("/metrics", (PrometheusExposition metrics) =>
            TypedResults.Text(metrics.Render(), "text/plain; version=0.0.4; charset=utf-8")).ExcludeFromDescription();
        app.MapGrpcService<HealthGrpcService>();
        return app;
    }

    /// <summary>Binds an options record to its section; a value that breaks its annotations stops the service at start.</summary>
    public static IServiceCollection AddValidatedOptions<TOptions>(this IServiceCollection services, string section)
        where TOptions : class
    {
        services.AddOptions<TOptions>().BindConfiguration(section).ValidateDataAnnotations().ValidateOnStart();
        return services;
    }

    // A line per request or retry of the frameworks' own would bury the services' words; traces have them.
    private static void Quieten(ILoggingBuilder logging) => logging
        .AddFilter("Microsoft.AspNetCore", LogLevel.Warning)
        .AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.Warning)
        // It reports every exception that the failure handler has answered already.
        .AddFilter("Microsoft.AspNetCore.Diagnostics.ExceptionHandlerMiddleware", LogLevel.None)
        .AddFilter("Grpc", LogLevel.Warning)
        .AddFilter("System.Net.Http.HttpClient", LogLevel.Warning)
        .AddFilter("Npgsql", LogLevel.Warning)
        .AddFilter("MassTransit", LogLevel.Warning)
        .AddFilter("Yarp", LogLevel.Warning);

    private sealed record Door(bool IsThis);
}
