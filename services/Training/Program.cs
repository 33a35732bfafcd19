using MlOps.Training;

await TrainingHost.Build(args).RunAsync();
