using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using MlOps.ServiceDefaults.Failures;
using MlOps.ServiceDefaults.Health;
using MlOps.ServiceDefaults.Telemetry;

namespace MlOps.ServiceDefaults;

/// <summary>What every service of the platform shares, in two calls.</summary>
public static class ServiceDefaultsExtensions
{
    /// <summary>
    /// Listens on <c>MLOPS_HTTP_PORT</c> (HTTP/1.1) and <c>MLOPS_GRPC_PORT</c> (HTTP/2 without TLS) of
    /// <c>MLOPS_BIND</c> (default 127.0.0.1; 0 or no port: any free one), and adds telemetry, health, gRPC and failures.
    /// </summary>
    /// <param name="builder">The builder to add to.</param>
    /// <param name="service">Name of the service, e.g. <c>Registry</c>; its sources and meters are <c>MlOps.Registry</c>.</param>
    public static WebApplicationBuilder AddServiceDefaults(this WebApplicationBuilder builder, string service)
    {
        Listen(builder);
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

    private static void Listen(WebApplicationBuilder builder)
    {
        var bind = builder.Configuration["MLOPS_BIND"] ?? "127.0.0.1";
        if (!IPAddress.TryParse(bind, out var address))
            throw new InvalidOperationException($"MLOPS_BIND={bind} is no IP address; 0.0.0.0 stands for all of them.");
        // Health is asked for on loopback, whatever else is listened on.
        var isElsewhere = !IPAddress.IsLoopback(address) && !address.Equals(IPAddress.Any) && !address.Equals(IPAddress.IPv6Any);
        var http = builder.Configuration.GetValue("MLOPS_HTTP_PORT", 0);
        var grpc = builder.Configuration.GetValue("MLOPS_GRPC_PORT", 0);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = ClientExtensions.MaxMessageSize;
            foreach (var ip in isElsewhere ? [address, IPAddress.Loopback] : new[] { address })
            {
                kestrel.Listen(ip, http, listen => listen.Protocols = HttpProtocols.Http1);
                kestrel.Listen(ip, grpc, listen => listen.Protocols = HttpProtocols.Http2);
            }
        });
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
}
