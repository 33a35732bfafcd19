using Grpc.Core;
using Grpc.Net.Client.Configuration;
using MassTransit;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.Registry.V1;
using MlOps.Inference.Admission;
using MlOps.Inference.BatchJobs;
using MlOps.Inference.Explanations;
using MlOps.Inference.Guards;
using MlOps.Inference.Models;
using MlOps.Inference.PredictionLog;
using MlOps.Inference.Predictions;
using MlOps.Inference.Protocol;
using MlOps.Inference.Replays;
using MlOps.Inference.Streams;
using MlOps.ServiceDefaults;

namespace MlOps.Inference;

/// <summary>Puts the service together.</summary>
internal static partial class InferenceApplication
{
    private const string Database = "inferencedb";

    public static WebApplication Build(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        // Before the defaults: the first writer that can, writes.
        builder.Services.AddSingleton<IProblemDetailsWriter, OpenInferenceErrors>();
        builder.AddServiceDefaults("Inference");
        builder.Services.AddValidatedOptions<InferenceOptions>("Inference");
        builder.AddServiceClient<RegistryService.RegistryServiceClient>("registry");
        builder.AddServiceClient<FeatureStoreService.FeatureStoreServiceClient>("featurestore")
            .ConfigureChannel(channel => channel.ServiceConfig = RetryOnce);
        // Where it is not told, there are no replays.
        if (builder.Configuration["services:monitoring:grpc:0"] is not null)
        {
            builder.AddServiceClient<MonitoringService.MonitoringServiceClient>("monitoring");
        }

        var hasDatabase = !string.IsNullOrEmpty(builder.Configuration.GetConnectionString(Database));
        AddEvents(builder, hasDatabase);
        if (hasDatabase)
        {
            builder.AddOptionalDatabase(Database);
            builder.AddBatchJobs();
            builder.AddStreams();
        }

        builder.Services.AddSingleton<InferenceTelemetry>();
        builder.Services.AddSingleton(new ModelSettingsBook(builder.Configuration));
        builder.Services.AddSingleton<ArtifactCache>();
        builder.Services.AddSingleton<ModelLoader>();
        builder.Services.AddSingleton<ModelCatalogue>();
        builder.Services.AddSingleton<ModelHost>();
        builder.Services.AddSingleton<ModelSync>();
        builder.Services.AddHostedService(services => services.GetRequiredService<ModelSync>());
        builder.Services.AddSingleton<Journal>();
        builder.Services.AddHostedService<JournalPublisher>();
        builder.Services.AddSingleton<MaskingKey>();
        builder.Services.AddSingleton<PayloadSink>();
        builder.Services.AddHostedService(services => services.GetRequiredService<PayloadSink>());
        builder.Services.AddSingleton<Logbook>();
        builder.Services.AddSingleton<FeatureLookup>();
        builder.Services.AddSingleton<Fallbacks>();
        builder.Services.AddSingleton<DecisionMetrics>();
        builder.Services.AddSingleton<PredictRows>();
        builder.Services.AddSingleton<Explainers>();
        builder.Services.AddSingleton<PredictionIds>();
        builder.Services.AddValidatedOptions<AdmissionOptions>("Inference:Admission");
        builder.Services.AddSingleton<RequestGate>();
        builder.Services.AddSingleton<Predictor>();
        builder.Services.AddSingleton<ReplayPredictions>();
        builder.Services.AddSingleton<Scoring>();
        // Else one would be made for every call.
        builder.Services.AddSingleton<OpenInferenceGrpcService>();
        builder.Services.AddSingleton<InferenceGrpcService>();
        builder.Services.AddHealthChecks().AddCheck<ModelsHealthCheck>("models");

        var app = builder.Build();
        // Nobody needs it, and it shows what nobody else does.
        app.Services.GetRequiredService<DecisionMetrics>();
        app.MapServiceDefaults();
        app.UseMiddleware<AdmissionMiddleware>();
        app.MapGrpcService<OpenInferenceGrpcService>();
        app.MapGrpcService<InferenceGrpcService>();
        OpenInferenceEndpoints.Map(app);
        ModelEndpoints.Map(app);
        PredictEndpoints.Map(app);
        ScoringEndpoints.Map(app);
        ReplayEndpoints.Map(app);
        if (hasDatabase)
        {
            app.MapBatchJobs();
            app.MapStreams();
        }
        else LogWithoutDatabase(app.Logger, Database);
        return app;
    }

    // Every replica hears every event, on a queue that goes with it.
    private static void AddEvents(WebApplicationBuilder builder, bool hasDatabase)
    {
        var queue = $"{builder.Configuration["Bus:Prefix"]}inference-models-{Guid.NewGuid():N}";
        builder.AddBus(
            bus =>
            {
                bus.AddConsumer<ModelEventsConsumer>().ExcludeFromConfigureEndpoints();
                if (hasDatabase) bus.AddBatchConsumers(builder.Configuration);
                // Predictions go on without the broker; their log waits on disk.
                bus.ConfigureHealthCheckOptions(health => health.MinimalFailureStatus = HealthStatus.Degraded);
            },
            (context, rabbit) =>
            {
                if (hasDatabase) rabbit.KeepBatchPartitions(context, builder.Configuration);
                rabbit.ReceiveEndpoint(queue, endpoint =>
                {
                    endpoint.AutoDelete = true;
                    endpoint.QueueExpiration = TimeSpan.FromMinutes(10);
                    endpoint.ConfigureConsumer<ModelEventsConsumer>(context);
                });
            });
    }

    // A prediction's time is short: one more try where the first never arrived, no more.
    private static ServiceConfig RetryOnce => new()
    {
        MethodConfigs =
        {
            new MethodConfig
            {
                Names = { MethodName.Default },
                RetryPolicy = new RetryPolicy
                {
                    MaxAttempts = 2,
                    InitialBackoff = TimeSpan.FromMilliseconds(20),
                    MaxBackoff = TimeSpan.FromMilliseconds(20),
                    BackoffMultiplier = 1,
                    RetryableStatusCodes = { StatusCode.Unavailable },
                },
            },
        },
    };

    [LoggerMessage(Level = LogLevel.Warning, Message = "Batch jobs and streams are off: ConnectionStrings:{Database} is not set")]
    private static partial void LogWithoutDatabase(ILogger logger, string database);
}
