using MlOps.Inference;

await InferenceApplication.Build(args).RunAsync();
