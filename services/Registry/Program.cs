using MlOps.Registry;
using MlOps.Registry.Aliases;
using MlOps.Registry.Artifacts;
using MlOps.Registry.Runs;
using MlOps.Registry.Versions;
using MlOps.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("Registry");
builder.AddDatabase("registrydb");
builder.AddBus();
builder.Services.AddValidatedOptions<RegistryOptions>("Registry");
builder.Services.AddValidatedOptions<StorageOptions>("Storage");
builder.Services.AddSingleton<RegistryMetrics>();
builder.Services.AddSingleton<ArtifactFolder>();
builder.Services.AddHostedService<AbandonedUploads>();
builder.Services
    .AddSingleton<UploadArtifact>().AddSingleton<DownloadArtifact>()
    .AddSingleton<CreateRun>().AddSingleton<LogBatch>().AddSingleton<FinishRun>()
    .AddSingleton<GetRun>().AddSingleton<ListRuns>()
    .AddSingleton<RegisterModelVersion>().AddSingleton<GetModelVersion>()
    .AddSingleton<ListModelVersions>().AddSingleton<ListModels>()
    .AddSingleton<AliasMoves>().AddSingleton<SetAlias>().AddSingleton<DeleteAlias>();

var app = builder.Build();
app.MapServiceDefaults();
app.MapGrpcService<RegistryGrpcService>();
await app.RunAsync();
