using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Tables.V1;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Routes;

public sealed class OutageTests(Platform<OutageTests> platform) : IClassFixture<Platform<OutageTests>>
{
    private GRPCInferenceService.GRPCInferenceServiceClient OpenInference => new(platform.Gateway.Channel);

    [ServerFact]
    public async Task A_service_that_is_away_is_unavailable_at_once_and_serves_again_when_it_is_back()
    {
        await platform.Gateway.Policies.PutAsync(Samples.Only("m", "1"));
        await PredictAsync();
        var before = platform.Peer.Requests.Count;
        var inFlight = OpenInference.ModelInferAsync(new ModelInferRequest { ModelName = "m", Id = "hang" }, deadline: Samples.Soon);
        await Eventually.Async(() => platform.Peer.Requests.Count > before, TimeSpan.FromSeconds(20));

        await platform.Peer.StopAsync();
        Assert.Equal(StatusCode.Unavailable, (await Assert.ThrowsAsync<RpcException>(() => inFlight.ResponseAsync)).StatusCode);

        var failure = await Assert.ThrowsAsync<RpcException>(PredictAsync);
        Assert.Equal((StatusCode.Unavailable, "SERVICE_UNAVAILABLE"), (failure.StatusCode, failure.Trailers.GetValue("mlops-code")));
        Assert.Contains("inference is away", failure.Status.Detail, StringComparison.Ordinal);

        using var rest = await platform.Gateway.Rest.PostAsync("/v2/models/m/infer", null);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, rest.StatusCode);
        Assert.Contains("inference is away", (await rest.Content.ReadFromJsonAsync<JsonObject>())?["error"]?.GetValue<string>(), StringComparison.Ordinal);

        using var health = await platform.Gateway.Rest.GetAsync("/health");
        Assert.Equal(HttpStatusCode.ServiceUnavailable, health.StatusCode);

        await platform.Peer.StartAsync();
        await PredictAsync();
        using var again = await platform.Gateway.Rest.PostAsync("/v2/models/m/infer", null);
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
    }

    [ServerFact]
    public async Task A_stream_whose_service_dies_ends_unavailable_after_what_was_sent()
    {
        using var call = new FeatureStoreService.FeatureStoreServiceClient(platform.Gateway.Channel)
            .GetHistoricalFeatures(deadline: Samples.Soon);
        await call.RequestStream.WriteAsync(new GetHistoricalFeaturesRequest { Rows = new Table() });
        Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));

        await platform.Peer.StopAsync();
        var failure = await Assert.ThrowsAsync<RpcException>(() => call.ResponseStream.MoveNext(CancellationToken.None));
        await platform.Peer.StartAsync();
        Assert.Equal(StatusCode.Unavailable, failure.StatusCode);
        Assert.Contains("featurestore", failure.Status.Detail, StringComparison.Ordinal);
    }

    private async Task PredictAsync() =>
        await OpenInference.ModelInferAsync(new ModelInferRequest { ModelName = "m" }, deadline: Samples.Soon);
}
