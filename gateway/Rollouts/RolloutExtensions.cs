using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.Registry.V1;
using MlOps.Gateway.Rollouts.Hooks;
using MlOps.Gateway.Rollouts.Judgement;
using MlOps.Gateway.Rollouts.Observations;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Rollouts;

/// <summary>Puts rollouts into the gateway.</summary>
internal static class RolloutExtensions
{
    public static void AddRollouts(this WebApplicationBuilder builder)
    {
        builder.Services.AddValidatedOptions<RolloutOptions>("Rollouts");
        builder.AddServiceClient<RegistryService.RegistryServiceClient>("registry");
        builder.AddServiceClient<MonitoringService.MonitoringServiceClient>("monitoring");
        builder.Services.AddHttpClient(CallHooks.Client);
        // Describing a version loads it, which takes its time.
        builder.Services.AddHttpClient(WarmReplicas.Client, client => client.Timeout = TimeSpan.FromSeconds(30));
        builder.Services
            .AddSingleton<OutcomeBook>().AddSingleton<ReadOutcomes>().AddSingleton<GatherEvidence>().AddSingleton<CallHooks>()
            .AddSingleton<ModelAliases>().AddSingleton<WarmReplicas>().AddSingleton<RolloutChanges>().AddSingleton<ListRollouts>()
            .AddSingleton<StartRollout>().AddSingleton<SteerRollout>().AddSingleton<RollBack>()
            .AddSingleton<ShadowVersion>().AddSingleton<ProgressRollout>().AddSingleton<PromoteVersion>().AddSingleton<AdvanceRollout>()
            .AddHostedService<FlushOutcomes>().AddHostedService<DriveRollouts>();
    }

    public static void MapRollouts(this WebApplication app)
    {
        RolloutEndpoints.Map(app);
        app.MapGrpcService<RolloutGrpcService>();
    }
}
