using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using MlOps.Contracts.Gateway.V1;
using MlOps.Gateway.Tests.Access;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.JsonCalls;

public sealed class JsonAccessTests(ClosedPlatform<JsonAccessTests> platform) : IClassFixture<ClosedPlatform<JsonAccessTests>>
{
    private const string SetAlias = "/v1/mlops.registry.v1.RegistryService/SetAlias";

    [ServerFact]
    public async Task A_call_in_json_asks_for_the_rights_of_the_call_over_the_model_its_body_names()
    {
        var approver = (await platform.KeyAsync(("approver", "mine-*"))).Text;
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskAsync(null, "mine-1")).StatusCode);
        var before = platform.Peer.Requests.Count;
        using var other = await AskAsync(approver, "yours-1");
        Assert.Equal(HttpStatusCode.Forbidden, other.StatusCode);
        Assert.Equal("PERMISSION_DENIED", (await other.Content.ReadFromJsonAsync<JsonObject>())?["code"]?.GetValue<string>());
        // The peer serves none of the registry's calls; it was asked.
        using var own = await AskAsync(approver, "mine-1");
        Assert.Equal(HttpStatusCode.NotImplemented, own.StatusCode);
        Assert.Equal(before, platform.Peer.Requests.Count);

        var viewer = (await platform.KeyAsync(("viewer", "*"))).Text;
        Assert.Equal(HttpStatusCode.Forbidden, (await AskAsync(viewer, "mine-1")).StatusCode);
    }

    [ServerFact]
    public async Task A_change_asked_for_in_json_is_audited_as_the_call()
    {
        using var asked = await AskAsync(platform.AdminKey, "audited");
        var entries = await platform.Access.ListAuditEntriesAsync(new ListAuditEntriesRequest { Model = "audited" }, platform.Admin, Samples.Soon);
        Assert.Contains(entries.Entries, e => e.Action == SetAlias["/v1".Length..]);
    }

    [ServerFact]
    public async Task Nobody_who_is_refused_makes_the_gateway_read_what_was_sent()
    {
        using var content = new StringContent("no JSON at all", null, "application/json");
        using var answer = await platform.SendAsync(HttpMethod.Post, SetAlias, null, content);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.NotEmpty(answer.Headers.WwwAuthenticate);
    }

    private Task<HttpResponseMessage> AskAsync(string? key, string model) => platform.SendAsync(
        HttpMethod.Post, SetAlias, key, JsonContent.Create(new { model, alias = "champion", version = 1 }));
}
