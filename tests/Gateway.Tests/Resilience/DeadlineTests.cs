using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using MlOps.Gateway.Resilience;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Resilience;

public sealed class DeadlineTests(Platform<DeadlineTests> platform) : IClassFixture<Platform<DeadlineTests>>
{
    [ServerFact]
    public async Task A_rest_request_ends_at_its_deadline_and_so_does_the_work_for_it()
    {
        platform.Peer.Requests.Clear();
        using var response = await SendAsync("/v2/models/m/hang", "200");
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.Contains("time given", (await response.Content.ReadFromJsonAsync<JsonObject>())?["error"]?.GetValue<string>(), StringComparison.Ordinal);
        await Eventually.Async(() => platform.Peer.GivenUp > 0, TimeSpan.FromSeconds(20));
        Assert.Equal("200m", Assert.Single(platform.Peer.Requests).Headers["grpc-timeout"]);
    }

    [ServerFact]
    public async Task A_call_in_json_carries_it_to_the_service()
    {
        platform.Peer.Requests.Clear();
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/inference.GRPCInferenceService/ModelInfer")
        {
            Content = JsonContent.Create(new { model_name = "m", id = "hang" }),
            Headers = { { Deadlines.Header, "300" } },
        };
        using var response = await platform.Gateway.Rest.SendAsync(request);
        Assert.Equal(HttpStatusCode.GatewayTimeout, response.StatusCode);
        Assert.Equal("300m", Assert.Single(platform.Peer.Requests).Headers["grpc-timeout"]);
    }

    [ServerTheory]
    [InlineData("0")]
    [InlineData("-5")]
    [InlineData("1.5")]
    [InlineData("soon")]
    [InlineData("3600001")]
    public async Task What_is_no_time_is_refused(string value)
    {
        using var response = await SendAsync("/v2/models/m/infer", value);
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [Theory]
    [InlineData("99999999H", "99999999S")]
    [InlineData("2S", "1500m")]
    [InlineData("1500m", "1000m")]
    [InlineData("900000u", "400m")]
    [InlineData("100m", "1m")]
    [InlineData("5x", "5x")]
    [InlineData("123456789S", "123456789S")]
    public void A_grpc_timeout_is_shortened_by_what_is_over(string before, string after)
    {
        var headers = new Microsoft.AspNetCore.Http.HeaderDictionary { [GrpcTimeout.Header] = before };
        GrpcTimeout.Shorten(headers, TimeSpan.FromMilliseconds(500));
        Assert.Equal(after, headers[GrpcTimeout.Header]);
    }

    private async Task<HttpResponseMessage> SendAsync(string path, string timeout)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path);
        request.Headers.TryAddWithoutValidation(Deadlines.Header, timeout);
        return await platform.Gateway.Rest.SendAsync(request);
    }
}
