using MlOps.FeatureStore.Definitions;
using MlOps.FeatureStore.Ingestion;
using MlOps.FeatureStore.Offline;
using MlOps.FeatureStore.Online;
using MlOps.ServiceDefaults;

namespace MlOps.FeatureStore;

/// <summary>Puts the service together.</summary>
internal static class FeatureStoreApp
{
    public static WebApplication Build(string[] args)
    {
        var builder = WebApplication.CreateBuilder(args);
        builder.AddServiceDefaults("FeatureStore");
        builder.AddDatabase("featuresdb");
        builder.AddRedisClient("redis");
        builder.AddBus();
        builder.Services.AddValidatedOptions<OnlineOptions>("Online");
        builder.Services.AddValidatedOptions<StorageOptions>("Storage");

        builder.Services.AddSingleton<DefinitionCatalog>();
        builder.Services.AddHostedService<DefinitionRefresh>();
        builder.Services.AddSingleton<ApplyDefinitions>();
        builder.Services.AddSingleton<IngestRows>();
        builder.Services.AddSingleton<Quarantine>();
        builder.Services.AddSingleton<SnapshotFolder>();
        builder.Services.AddSingleton<Snapshots>();
        builder.Services.AddSingleton<JoinHistoricalFeatures>();
        builder.Services.AddSingleton<CreateSnapshot>();
        builder.Services.AddSingleton<OnlineKey>();
        builder.Services.AddSingleton<OnlineStore>();
        builder.Services.AddSingleton<MaterializeViews>();
        builder.Services.AddSingleton<ReadOnlineFeatures>();

        var app = builder.Build();
        app.MapServiceDefaults();
        app.MapGrpcService<FeatureStoreGrpcService>();
        return app;
    }
}
