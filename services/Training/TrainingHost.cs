using MassTransit;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using MlOps.Training.Datasets;
using MlOps.Training.Evaluation;
using MlOps.Training.Runs;
using MlOps.Training.Trainers;
using MlOps.Training.Trainers.Xgboost;
using MlOps.Training.Trials;

namespace MlOps.Training;

/// <summary>The composition root.</summary>
internal static class TrainingHost
{
    internal static WebApplication Build(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.AddServiceDefaults("Training");
        builder.AddDatabase("trainingdb");
        builder.AddBus(bus =>
        {
            bus.AddConsumer<TrialRequestedConsumer, TrialRequestedConsumerDefinition>();
            bus.AddConsumer<TrialFaultedConsumer>();
            bus.AddConsumer<TrialCompletedConsumer>();
            bus.AddConsumer<TrialCompletedFaultedConsumer>();
        });
        builder.AddServiceClient<FeatureStoreService.FeatureStoreServiceClient>("featurestore");
        builder.AddServiceClient<RegistryService.RegistryServiceClient>("registry");
        builder.Services.AddValidatedOptions<TrainingOptions>("Training");

        builder.Services
            .AddSingleton<TrainingTelemetry>()
            .AddSingleton(_ => new XgboostLibrary())
            .AddSingleton<ITrainer, XgboostTrainer>()
            .AddSingleton<ITrainer, LinearTrainer>()
            .AddSingleton<TrainerCatalogue>()
            .AddSingleton<SnapshotFolder>()
            .AddSingleton<PreparedDatasets>()
            .AddSingleton<Baselines>()
            .AddSingleton<RunChanges>()
            .AddSingleton<RunRecorder>()
            .AddSingleton<TrialState>()
            .AddSingleton<RunTrial>()
            .AddSingleton<EvaluateModel>()
            .AddSingleton<PublishModel>()
            .AddSingleton<FinishTrainingRun>()
            .AddSingleton<SubmitPipeline>()
            .AddSingleton<WatchTrainingRun>()
            .AddSingleton<CancelTrainingRun>();

        var app = builder.Build();
        app.MapServiceDefaults();
        app.MapGrpcService<TrainingGrpcService>();
        return app;
    }
}
