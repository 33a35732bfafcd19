await MlOps.FeatureStore.FeatureStoreApp.Build(args).RunAsync();
