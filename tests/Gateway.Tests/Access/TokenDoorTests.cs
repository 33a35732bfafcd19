using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Access;

public sealed class TokenDoorTests(ClosedPlatform<TokenDoorTests> platform) : IClassFixture<ClosedPlatform<TokenDoorTests>>
{
    [ServerFact]
    public async Task A_token_opens_rest_and_grpc_as_far_as_its_roles_reach()
    {
        await using var issuer = await new TestIssuer().StartAsync();
        issuer.AddEc("k");
        await using var replica = await platform.StartReplicaAsync($"--Access:Oidc:Issuer={issuer.Address}", "--Access:Oidc:Audience=mlops");
        var token = issuer.Token("k", issuer.Claims(TimeProvider.System.GetUtcNow(), "predict:mine-*"));

        Assert.Equal(HttpStatusCode.OK, await InferAsync(replica, "mine-1", token));
        Assert.Equal(HttpStatusCode.Forbidden, await InferAsync(replica, "yours-1", token));
        Assert.Equal(HttpStatusCode.Unauthorized, await InferAsync(replica, "mine-1", token[..^2]));
        Assert.Equal(HttpStatusCode.OK, await InferAsync(replica, "mine-1", token));

        var open = new GRPCInferenceService.GRPCInferenceServiceClient(replica.Channel);
        await open.ModelInferAsync(new ModelInferRequest { ModelName = "mine-1" }, ClosedPlatform<TokenDoorTests>.As(token), Samples.Soon);
        var failure = await Assert.ThrowsAsync<RpcException>(async () => await open.ModelInferAsync(
            new ModelInferRequest { ModelName = "yours-1" }, ClosedPlatform<TokenDoorTests>.As(token), Samples.Soon));
        Assert.Equal(StatusCode.PermissionDenied, failure.StatusCode);

        using var me = new HttpRequestMessage(HttpMethod.Get, "/v1/access/me") { Headers = { Authorization = new("Bearer", token) } };
        using var answer = await replica.Rest.SendAsync(me);
        Assert.Equal("user:ann", (await answer.Content.ReadFromJsonAsync<JsonObject>())?["name"]?.GetValue<string>());
    }

    [ServerFact]
    public async Task While_an_issuer_was_never_reached_its_tokens_are_unavailable_and_keys_go_on()
    {
        await using var issuer = new TestIssuer();
        issuer.AddEc("k");
        await using var replica = await platform.StartReplicaAsync($"--Access:Oidc:Issuer={issuer.Address}", "--Access:Oidc:Audience=mlops");
        var token = issuer.Token("k", issuer.Claims(TimeProvider.System.GetUtcNow(), "viewer"));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, await InferAsync(replica, "m", token));
        Assert.Equal(HttpStatusCode.OK, await InferAsync(replica, "m", platform.AdminKey));
    }

    [ServerFact]
    public async Task Where_no_issuer_is_configured_a_token_is_no_credential()
    {
        await using var issuer = new TestIssuer();
        issuer.AddEc("k");
        Assert.Equal(
            HttpStatusCode.Unauthorized,
            await InferAsync(platform.Gateway, "m", issuer.Token("k", issuer.Claims(TimeProvider.System.GetUtcNow(), "admin"))));
    }

    private static async Task<HttpStatusCode> InferAsync(GatewayReplica replica, string model, string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v2/models/{model}/infer");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        using var answer = await replica.Rest.SendAsync(request);
        return answer.StatusCode;
    }
}
