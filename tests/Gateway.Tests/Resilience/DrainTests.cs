using System.Net;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Resilience;

public sealed class DrainTests(Platform<DrainTests> platform) : IClassFixture<Platform<DrainTests>>
{
    [ServerFact]
    public async Task A_gateway_going_away_says_so_first_and_ends_what_is_in_flight()
    {
        await using var gateway = await platform.StartReplicaAsync("--Gateway:DrainDelay=00:00:03");
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(gateway.Channel);
        var before = platform.Peer.Requests.Count;
        var rest = gateway.Rest.PostAsync("/v2/models/m/wait", null);
        var grpc = client.ModelInferAsync(new ModelInferRequest { ModelName = "m", Id = "wait" }, deadline: Samples.Soon);
        await Eventually.Async(() => platform.Peer.Requests.Count >= before + 2, TimeSpan.FromSeconds(20));

        var stopping = gateway.StopAsync();
        await Eventually.Async(async () => (await gateway.Rest.GetAsync("/readyz")).StatusCode == HttpStatusCode.ServiceUnavailable, TimeSpan.FromSeconds(3));
        // Who has not looked yet is still served.
        using var late = await gateway.Rest.PostAsync("/v2/models/m/infer", null);
        Assert.Equal(HttpStatusCode.OK, late.StatusCode);

        using var fresh = new HttpClient { BaseAddress = gateway.Http1 };
        await Eventually.Async(async () =>
        {
            try
            {
                using var answer = await fresh.GetAsync("/healthz");
                return false;
            }
            catch (HttpRequestException)
            {
                return true;
            }
        }, TimeSpan.FromSeconds(20));
        Assert.False(stopping.IsCompleted);
        platform.Peer.Gate.SetResult();
        using var answer = await rest;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("m", (await grpc).ModelName);
        await stopping;
    }
}
