using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Access;

public sealed class LimitedTests(ClosedPlatform<LimitedTests> platform) : IClassFixture<ClosedPlatform<LimitedTests>>
{
    private GRPCInferenceService.GRPCInferenceServiceClient OpenInference => new(platform.Gateway.Channel);

    [ServerFact]
    public async Task Over_rest_too_many_requests_are_told_when_to_come_back()
    {
        var key = await LimitedAsync(burst: 3);
        for (var i = 0; i < 3; i++)
        {
            using var fine = await platform.SendAsync(HttpMethod.Post, "/v2/models/a/infer", key);
            Assert.Equal(HttpStatusCode.OK, fine.StatusCode);
        }

        using var refused = await platform.SendAsync(HttpMethod.Post, "/v2/models/a/infer", key);
        Assert.Equal(HttpStatusCode.TooManyRequests, refused.StatusCode);
        Assert.InRange(refused.Headers.RetryAfter?.Delta ?? default, TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(100));
        Assert.Contains("3 at once", (await refused.Content.ReadFromJsonAsync<JsonObject>())?["error"]?.GetValue<string>(), StringComparison.Ordinal);

        using var other = await platform.SendAsync(HttpMethod.Post, "/v2/models/b/infer", key);
        Assert.Equal(HttpStatusCode.OK, other.StatusCode);
        using var mlflow = new HttpRequestMessage(HttpMethod.Post, "/invocations") { Headers = { { "x-api-key", key }, { "x-mlops-model", "a" } } };
        using var same = await platform.Gateway.Rest.SendAsync(mlflow);
        Assert.Equal("REQUEST_LIMIT_EXCEEDED", (await same.Content.ReadFromJsonAsync<JsonObject>())?["error_code"]?.GetValue<string>());
    }

    [ServerFact]
    public async Task Over_grpc_it_is_the_same_bucket()
    {
        var key = await LimitedAsync(burst: 2);
        using var rest = await platform.SendAsync(HttpMethod.Post, "/v2/models/c/infer", key);
        var metadata = ClosedPlatform<LimitedTests>.As(key);
        await OpenInference.ModelInferAsync(new ModelInferRequest { ModelName = "c" }, metadata, Samples.Soon);
        var failure = await Assert.ThrowsAsync<RpcException>(async () =>
            await OpenInference.ModelInferAsync(new ModelInferRequest { ModelName = "c" }, metadata, Samples.Soon));
        Assert.Equal((StatusCode.ResourceExhausted, "RATE_LIMITED"), (failure.StatusCode, failure.Trailers.GetValue("mlops-code")));
        Assert.True(int.Parse(failure.Trailers.GetValue("grpc-retry-pushback-ms") ?? "0", System.Globalization.CultureInfo.InvariantCulture) > 0);
        await OpenInference.ModelInferAsync(new ModelInferRequest { ModelName = "d" }, metadata, Samples.Soon);
    }

    [ServerFact]
    public async Task Every_message_of_a_stream_counts()
    {
        var key = await LimitedAsync(burst: 3);
        using var stream = OpenInference.ModelStreamInfer(ClosedPlatform<LimitedTests>.As(key), Samples.Soon);
        for (var i = 0; i < 3; i++)
        {
            await stream.RequestStream.WriteAsync(new ModelInferRequest { ModelName = "e" });
            Assert.True(await stream.ResponseStream.MoveNext(CancellationToken.None));
        }

        await stream.RequestStream.WriteAsync(new ModelInferRequest { ModelName = "e" });
        var failure = await Assert.ThrowsAsync<RpcException>(() => stream.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(StatusCode.ResourceExhausted, failure.StatusCode);
    }

    [ServerFact]
    public async Task The_gateways_own_calls_count_as_well()
    {
        var key = ClosedPlatform<LimitedTests>.As(await LimitedAsync(burst: 1));
        await platform.Gateway.Policies.ListTrafficPoliciesAsync(new ListTrafficPoliciesRequest(), key, Samples.Soon);
        var failure = await Assert.ThrowsAsync<RpcException>(async () =>
            await platform.Gateway.Policies.ListTrafficPoliciesAsync(new ListTrafficPoliciesRequest(), key, Samples.Soon));
        Assert.Equal(StatusCode.ResourceExhausted, failure.StatusCode);
    }

    [ServerFact]
    public async Task Own_answers_tell_browsers_to_be_careful()
    {
        using var me = await platform.SendAsync(HttpMethod.Get, "/v1/access/me", platform.AdminKey);
        using var refused = await platform.SendAsync(HttpMethod.Get, "/v1/access/me", null);
        foreach (var answer in new[] { me, refused })
        {
            Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
            Assert.Equal("DENY", answer.Headers.GetValues("X-Frame-Options").Single());
            Assert.StartsWith("default-src 'none'", answer.Headers.GetValues("Content-Security-Policy").Single(), StringComparison.Ordinal);
            Assert.False(answer.Headers.Contains("Strict-Transport-Security"));
        }

        using var forwarded = await platform.SendAsync(HttpMethod.Post, "/v2/models/f/infer", platform.AdminKey);
        Assert.False(forwarded.Headers.Contains("X-Frame-Options"));
    }

    private async Task<string> LimitedAsync(int burst) => (await platform.Access.CreateApiKeyAsync(
        new CreateApiKeyRequest
        {
            Name = "slow",
            Grants = { new Grant { Role = "viewer", Models = "*" } },
            // One in a hundred seconds: nothing comes back while a test runs.
            RequestsPerSecond = 0.01,
            Burst = burst,
        },
        platform.Admin, Samples.Soon)).Text;
}
