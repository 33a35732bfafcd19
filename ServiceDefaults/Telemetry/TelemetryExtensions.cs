using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using OpenTelemetry;
using OpenTelemetry.Trace;

namespace MlOps.ServiceDefaults.Telemetry;

/// <summary>
/// Traces, metrics and logs go out by OTLP where the standard <c>OTEL_EXPORTER_OTLP_ENDPOINT</c> says; metrics are read
/// at <c>/metrics</c> as well.
/// </summary>
internal static class TelemetryExtensions
{
    private static readonly string[] Sources =
    [
        "Microsoft.AspNetCore", "Grpc.Net.Client", "System.Net.Http", "Npgsql", "MassTransit", "Yarp.ReverseProxy", "MlOps.*",
    ];

    private static readonly string[] Meters =
    [
        "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "System.Net.Http", "System.Runtime",
        "Npgsql", "MassTransit", "MlOps.*",
    ];

    public static void AddTelemetry(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton(_ => new PrometheusExposition(Meters));
        builder.Services.AddHostedService(services => services.GetRequiredService<PrometheusExposition>());

        builder.Services.AddValidatedOptions<TelemetryOptions>("Telemetry");

        if (string.IsNullOrEmpty(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"])) return;

        builder.Logging.AddOpenTelemetry(logging =>
        {
            logging.IncludeFormattedMessage = true;
            logging.IncludeScopes = true;
        });
        builder.Services.AddOpenTelemetry()
            .WithTracing(tracing => tracing.AddSource(Sources).AddProcessor(new ProbeFilter()).LimitRate(builder.Configuration))
            .WithMetrics(metrics => metrics.AddMeter(Meters))
            .UseOtlpExporter();
    }

    private static TracerProviderBuilder LimitRate(this TracerProviderBuilder tracing, IConfiguration configuration)
    {
        if (!string.IsNullOrEmpty(configuration["OTEL_TRACES_SAMPLER"])) return tracing;

        return tracing.SetSampler(services => new ParentBasedSampler(new RateLimitedSampler(
            services.GetRequiredService<IOptions<TelemetryOptions>>().Value.TracesPerSecond,
            services.GetRequiredService<TimeProvider>())));
    }
}
