using System.Buffers.Text;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Splits;

public sealed class ForcedArmTests(Platform<ForcedArmTests> platform) : IClassFixture<Platform<ForcedArmTests>>
{
    private const string Key = "a key of the tests, longer than it needs to be";
    private static long Later => TimeProvider.System.GetUtcNow().ToUnixTimeSeconds() + 600;

    [ServerFact]
    public async Task A_token_gets_its_arm_by_either_protocol_and_is_counted_apart()
    {
        await using var gateway = await StartAsync("tested");
        var token = Token("tested", "challenger", Later);
        for (var i = 0; i < 10; i++)
        {
            platform.Peer.Requests.Clear();
            using var response = await SendAsync(gateway, "tested", token, $"s-{i}");
            Assert.Equal("2", (await response.Content.ReadFromJsonAsync<JsonObject>())?["model_version"]?.GetValue<string>());
            Assert.Equal(["challenger"], response.Headers.GetValues("x-mlops-variant"));
            Assert.Equal(["forced"], response.Headers.GetValues("x-mlops-assignment"));
            var seen = Assert.Single(platform.Peer.Requests);
            Assert.Equal("canary", seen.Headers["x-mlops-tier"]);
            // Logged as no arm's, and without what opened the door.
            Assert.False(seen.Headers.ContainsKey("x-mlops-variant"));
            Assert.False(seen.Headers.ContainsKey("x-mlops-force-arm"));

            var answer = await new GRPCInferenceService.GRPCInferenceServiceClient(gateway.Channel).ModelInferAsync(
                new ModelInferRequest { ModelName = "tested" }, new Metadata { { "x-mlops-force-arm", token } }, Samples.Soon);
            Assert.Equal("2", answer.ModelVersion);
        }

        using var unforced = await SendAsync(gateway, "tested", null, "s");
        var counts = (await gateway.Policies.GetAssignmentsAsync(new GetAssignmentsRequest { Model = "tested" }, deadline: Samples.Soon)).Counts;
        Assert.Equal((20, 1), (counts.Single(c => c.Arm == "challenger").Forced, counts.Sum(c => c.Requests)));
    }

    [ServerFact]
    public async Task Whatever_is_wrong_with_a_token_it_is_refused_by_either_protocol()
    {
        await using var gateway = await StartAsync("strict");
        var good = Token("strict", "challenger", Later);
        foreach (var (token, code) in new[]
        {
            (Token("strict", "challenger", Later - 601), "FORCED_ARM_EXPIRED"),
            (Token("another", "challenger", Later), "FORCED_ARM_INVALID"),
            (Token("strict", "challenger", Later, "another key of 32 characters or more"), "FORCED_ARM_INVALID"),
            (good.Replace("challenger", "champion", StringComparison.Ordinal), "FORCED_ARM_INVALID"),
            (good.Replace("exp=", "exp=9", StringComparison.Ordinal), "FORCED_ARM_INVALID"),
            (Token("strict", "nobody", Later), "FORCED_ARM_UNKNOWN"),
            ("challenger", "FORCED_ARM_INVALID"),
            (good + "=", "FORCED_ARM_INVALID"),
            (good + ";x=1", "FORCED_ARM_INVALID"),
            (new string('x', 10_000), "FORCED_ARM_INVALID"),
        })
        {
            using var response = await SendAsync(gateway, "strict", token, "s");
            Assert.Equal(HttpStatusCode.Forbidden, response.StatusCode);
            Assert.NotNull((await response.Content.ReadFromJsonAsync<JsonObject>())?["error"]);
            var failure = await Assert.ThrowsAsync<RpcException>(async () =>
                await new GRPCInferenceService.GRPCInferenceServiceClient(gateway.Channel).ModelInferAsync(
                    new ModelInferRequest { ModelName = "strict" }, new Metadata { { "x-mlops-force-arm", token } }, Samples.Soon));
            Assert.Equal((StatusCode.PermissionDenied, code), (failure.StatusCode, failure.Trailers.GetValue("mlops-code")));
        }

        using var twice = new HttpRequestMessage(HttpMethod.Post, "/v2/models/strict/infer");
        twice.Headers.TryAddWithoutValidation("x-mlops-force-arm", [good, good]);
        using var refused = await gateway.Rest.SendAsync(twice);
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        using var passed = await SendAsync(gateway, "strict", good, "s");
        Assert.Equal(HttpStatusCode.OK, passed.StatusCode);
    }

    [ServerFact]
    public async Task Without_a_key_no_token_is_good_and_where_nothing_is_split_none_is_asked()
    {
        await platform.Gateway.Policies.PutAsync(Samples.NinetyTen("keyless"));
        using var refused = await SendAsync(platform.Gateway, "keyless", Token("keyless", "challenger", Later), "s");
        Assert.Equal(HttpStatusCode.Forbidden, refused.StatusCode);
        using var unsplit = await SendAsync(platform.Gateway, "without-policy", "anything", "s");
        Assert.Equal(HttpStatusCode.OK, unsplit.StatusCode);
    }

    private async Task<GatewayReplica> StartAsync(string model)
    {
        await platform.Gateway.Policies.PutAsync(Samples.NinetyTen(model, coverage: 0));
        return await platform.StartReplicaAsync($"--Gateway:ForceArmKey={Key}");
    }

    private static async Task<HttpResponseMessage> SendAsync(GatewayReplica gateway, string model, string? token, string subject)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v2/models/{model}/infer") { Headers = { { "x-mlops-subject", subject } } };
        if (token is not null) request.Headers.TryAddWithoutValidation("x-mlops-force-arm", token);
        return await gateway.Rest.SendAsync(request);
    }

    // As the documentation says, by other means than the gateway's.
    private static string Token(string model, string arm, long expires, string key = Key)
    {
        using var hmac = new HMACSHA256(Encoding.UTF8.GetBytes(key));
        var signature = hmac.ComputeHash(Encoding.UTF8.GetBytes(string.Create(null, $"{model};{arm};exp={expires}")));
        return string.Create(null, $"{arm};exp={expires};sig={Base64Url.EncodeToString(signature)}");
    }
}
