using MlOps.Contracts.Registry.V1;
using MlOps.Monitoring;
using MlOps.Monitoring.Drift;
using MlOps.Monitoring.Experiments;
using MlOps.Monitoring.Labels;
using MlOps.Monitoring.Outcomes;
using MlOps.Monitoring.Performance;
using MlOps.Monitoring.PredictionLog;
using MlOps.Monitoring.Shadows;
using MlOps.ServiceDefaults;

var builder = WebApplication.CreateBuilder(args);
builder.AddServiceDefaults("Monitoring");
builder.AddDatabase("monitoringdb");
builder.AddBus(bus => bus.AddConsumer<PredictionsLoggedConsumer>());
builder.AddServiceClient<RegistryService.RegistryServiceClient>("registry");
builder.Services
    .AddSingleton<MonitoringMetrics>().AddSingleton<KnownModels>()
    .AddSingleton<Months>().AddSingleton<InputLayouts>().AddSingleton<LogPredictions>().AddSingleton<CountPredictions>()
    .AddSingleton<GetPredictions>()
    .AddSingleton<SubmitLabels>().AddSingleton<MeasurePerformance>().AddSingleton<SummariseArms>()
    .AddSingleton<SubmitOutcomes>().AddSingleton<SumExperiment>().AddSingleton<ListExposures>()
    .AddSingleton<ReferenceProfiles>().AddSingleton<CurrentColumns>().AddSingleton<MeasureDrift>()
    .AddSingleton<CompareShadow>();

var app = builder.Build();
app.MapServiceDefaults();
app.MapGrpcService<MonitoringGrpcService>();
await app.RunAsync();
