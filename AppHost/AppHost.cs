using MlOps.AppHost;
using MlOps.AppHost.Servers;

using var instance = Instance.Claim();

var builder = DistributedApplication.CreateBuilder([.. args, .. instance.Settings]);
var servers = ServerSet.AddTo(builder, instance);

var features = servers.AddDatabase("featuresdb", "features");
var models = servers.AddDatabase("registrydb", "registry");
var runs = servers.AddDatabase("trainingdb", "training");
var work = servers.AddDatabase("inferencedb", "inference");
var observations = servers.AddDatabase("monitoringdb", "monitoring");
var traffic = servers.AddDatabase("gatewaydb", "gateway");
var online = servers.Redis;
var bus = servers.RabbitMq;
var credential = builder.AddParameter("internal-credential", instance.Secrets["internal-credential"], secret: true);

var featurestore = builder.AddService<Projects.FeatureStore>("featurestore", instance, credential)
    .Needs(features).Needs(online).Needs(bus);

var registry = builder.AddService<Projects.Registry>("registry", instance, credential)
    .Needs(models).Needs(bus);

var training = builder.AddService<Projects.Training>("training", instance, credential)
    .Needs(runs).Needs(bus)
    .Needs(registry).Needs(featurestore)
    .WithPassiveNativeThreads();

var inference = builder.AddService<Projects.Inference>("inference", instance, credential)
    .Needs(work).Needs(bus)
    .Needs(registry).Needs(featurestore)
    .AsksForPolicies(instance)
    .WithPassiveNativeThreads();

var monitoring = builder.AddService<Projects.Monitoring>("monitoring", instance, credential)
    .Needs(observations).Needs(bus)
    .Needs(registry);

// Replays ask for logged predictions; all else goes on without.
inference.Knows(monitoring);

builder.AddService<Projects.Gateway>("gateway", instance, credential, instance.RestPort, instance.GrpcPort)
    .OpensTo(instance)
    .Needs(traffic).Needs(bus)
    .Needs(featurestore).Needs(registry).Needs(training).Needs(inference).Needs(monitoring)
    .OnResourceReady((_, _, ct) => instance.AnnounceAsync(ct));

await using var app = builder.Build();
await app.RunAsync();
return Environment.ExitCode;
