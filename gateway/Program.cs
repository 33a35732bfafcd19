using MlOps.Gateway;

await GatewayApplication.Build(args).RunAsync();
