using MlOps.Gateway.Experiments.Bandit;
using MlOps.Gateway.Experiments.Readouts;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Experiments;

/// <summary>Puts experiments into the gateway, beside the rollouts, which bring the client of Monitoring along.</summary>
internal static class ExperimentExtensions
{
    public static void AddExperiments(this WebApplicationBuilder builder)
    {
        builder.Services.AddValidatedOptions<ExperimentOptions>("Experiments");
        builder.Services
            .AddSingleton<ListExperiments>().AddSingleton<ExperimentChanges>().AddSingleton<PutExperiment>().AddSingleton<StartExperiment>()
            .AddSingleton<GatherEvidence>().AddSingleton<ReadExperiment>().AddSingleton<EndExperiment>()
            .AddSingleton<MoveWeights>().AddSingleton<ActOnExperiment>().AddHostedService<WatchExperiments>();
    }

    public static void MapExperiments(this WebApplication app)
    {
        ExperimentEndpoints.Map(app);
        app.MapGrpcService<ExperimentGrpcService>();
    }
}
