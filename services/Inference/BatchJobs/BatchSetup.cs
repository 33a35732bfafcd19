using MassTransit;
using MlOps.Inference.BatchJobs.Features;
using MlOps.Inference.BatchJobs.Files;
using MlOps.Inference.BatchJobs.Inputs;
using MlOps.Inference.BatchJobs.Outputs;
using MlOps.Inference.BatchJobs.Schedules;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs;

/// <summary>Puts batch scoring together. It needs the service's database; predictions do not.</summary>
internal static class BatchSetup
{
    public static void AddBatchJobs(this WebApplicationBuilder builder)
    {
        var services = builder.Services;
        services.AddValidatedOptions<BatchOptions>("Inference:Batch");
        if (builder.Configuration["Inference:Batch:Files"] == "database")
        {
            services.AddSingleton<IBatchFiles>(s => new DatabaseFiles(s.GetRequiredService<NpgsqlDataSource>()));
        }
        else
        {
            services.AddSingleton<IBatchFiles, FolderFiles>();
        }

        services.AddSingleton<BatchTelemetry>().AddSingleton<BatchChanges>().AddSingleton<BatchConnections>().AddSingleton<BatchSpecRules>();
        services.AddSingleton<InputFolder>().AddSingleton<QueryText>().AddSingleton<SnapshotText>();
        services.AddSingleton<StoreInput>().AddSingleton<UploadBatchInput>().AddSingleton<BatchInputs>();
        services.AddSingleton<FeatureKeys>().AddSingleton<TableTarget>();
        services.AddSingleton<BatchJobRows>().AddSingleton<CreateBatchJob>().AddSingleton<EndBatchJob>().AddSingleton<WatchBatchJob>();
        services.AddSingleton<OpenBatchResult>().AddSingleton<ListUnscoredRows>();
        services.AddSingleton<PlanBatchJob>().AddSingleton<PartitionScorer>().AddSingleton<ScorePartition>().AddSingleton<PublishBatchResult>();
        services.AddSingleton<BatchScheduleBook>().AddSingleton<SweepBatchJobs>();
        services.AddHostedService(s => s.GetRequiredService<SweepBatchJobs>());
        services.AddHostedService<RunBatchSchedules>();
    }

    public static void AddBatchConsumers(this IBusRegistrationConfigurator bus, IConfiguration configuration)
    {
        bus.AddConsumer<BatchJobRequestedConsumer, BatchJobRequestedEndpoint>();
        bus.AddConsumer<BatchPartitionScoredConsumer, BatchPartitionScoredEndpoint>();
        bus.AddConsumer<BatchFaultConsumer, BatchFaultEndpoint>();
        if (TakesPartitions(configuration)) bus.AddConsumer<BatchPartitionRequestedConsumer, BatchPartitionRequestedEndpoint>();
    }

    public static void KeepBatchPartitions(
        this IRabbitMqBusFactoryConfigurator rabbit, IServiceProvider services, IConfiguration configuration)
    {
        if (!TakesPartitions(configuration)) BatchQueue.KeepPartitions(rabbit, configuration, services.GetRequiredService<IBatchFiles>());
    }

    private static bool TakesPartitions(IConfiguration configuration) =>
        configuration.GetValue("Inference:Batch:ConcurrentPartitions", new BatchOptions().ConcurrentPartitions) > 0;

    public static void MapBatchJobs(this WebApplication app)
    {
        app.MapGrpcService<BatchGrpcService>();
        BatchEndpoints.Map(app);
    }
}
