using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Net.Client;
using MlOps.Contracts.Gateway.V1;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests;

public sealed class KillTests(PostgresDatabase<KillTests> database, BusPrefix<KillTests> prefix)
    : IClassFixture<PostgresDatabase<KillTests>>, IClassFixture<BusPrefix<KillTests>>
{
    [ServerFact]
    public async Task A_killed_gateway_comes_back_with_its_policies_and_splits_from_its_first_request_on()
    {
        await using var peer = new InferencePeer();
        await peer.StartAsync();
        await using var gateway = await ServiceProcess.StartAsync("Gateway", EnvironmentOf(peer));
        using var channel = GrpcChannel.ForAddress(gateway.Grpc);
        using var rest = new HttpClient { BaseAddress = gateway.Http };
        var policies = new GatewayService.GatewayServiceClient(channel);
        var put = await policies.PutAsync(Samples.Only("m", "7"));

        await gateway.KillAsync();
        await gateway.StartAgainAsync();

        Assert.Equal(put, await policies.GetTrafficPolicyAsync(new GetTrafficPolicyRequest { Model = "m" }, deadline: Samples.Soon));
        using var answer = await rest.PostAsync("/v2/models/m/infer", null);
        Assert.Equal("7", (await answer.Content.ReadFromJsonAsync<JsonObject>())?["model_version"]?.GetValue<string>());
        Assert.Equal(0, await gateway.StopAsync());
    }

    private Dictionary<string, string?> EnvironmentOf(InferencePeer peer)
    {
        var environment = new Dictionary<string, string?>
        {
            ["ConnectionStrings__gatewaydb"] = database.ConnectionString,
            ["ConnectionStrings__rabbitmq"] = Servers.RabbitMq,
            ["Bus__Prefix"] = prefix.Value,
        };
        foreach (var service in GatewayReplica.Services)
        {
            environment[$"services__{service}__http__0"] = $"http://127.0.0.1:{peer.HttpPort}";
            environment[$"services__{service}__grpc__0"] = $"http://127.0.0.1:{peer.GrpcPort}";
        }

        return environment;
    }
}
