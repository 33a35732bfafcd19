using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.Gateway.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Splits;

public sealed class PolicyFileTests(Platform<PolicyFileTests> platform) : IClassFixture<Platform<PolicyFileTests>>, IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("mlops-policies-");

    private string File => Path.Combine(_folder.FullName, "policies.json");

    public void Dispose() => _folder.Delete(recursive: true);

    [ServerFact]
    public async Task The_file_rules_from_the_first_request_on_and_a_change_of_it_is_taken_live()
    {
        await WriteAsync(Policy("by-file", "1"));
        await using var gateway = await StartAsync();
        Assert.Equal("1", await VersionAsync(gateway, "by-file"));

        await WriteAsync(Policy("by-file", "2"), Policy("another", "3"));
        await Eventually.Async(async () => await VersionAsync(gateway, "another") == "3", Deadline);
        Assert.Equal("2", await VersionAsync(gateway, "by-file"));

        await WriteAsync(Policy("another", "3"));
        await Eventually.Async(async () => await VersionAsync(gateway, "by-file") is null, Deadline);
        Assert.Equal("3", await VersionAsync(gateway, "another"));
    }

    [ServerFact]
    public async Task A_broken_change_is_refused_with_every_error_and_the_old_content_stays()
    {
        await WriteAsync(Policy("steady", "1"));
        await using var gateway = await StartAsync();
        await System.IO.File.WriteAllTextAsync(
            File, """{"policies": [{"model": "steady", "arms": [{"name": "only", "version": "latest", "weight": 2}], "colour": "red"}]}""");

        var refused = await Eventually.GetAsync(async () => (await StateAsync(gateway))["refused"] as JsonObject, Deadline);
        Assert.Equal(
            ["policies[0].arms", "policies[0].arms[0].version", "policies[0].arms[0].weight", "policies[0].colour"],
            refused["errors"]?.AsArray().Select(e => e?["field"]?.GetValue<string>()).Order(StringComparer.Ordinal));
        Assert.Equal("1", await VersionAsync(gateway, "steady"));
        var health = await gateway.Rest.GetFromJsonAsync<JsonObject>("/health");
        var check = health?["services"]?["gateway"]?["checks"]?["policy file"];
        Assert.Equal("degraded", check?["status"]?.GetValue<string>());
        Assert.Contains("policies[0].colour", check?["description"]?.GetValue<string>(), StringComparison.Ordinal);

        System.IO.File.Delete(File);
        await Eventually.Async(
            async () => (await StateAsync(gateway))["refused"]?["errors"]?[0]?["rule"]?.GetValue<string>().Contains("cannot be read", StringComparison.Ordinal) == true,
            Deadline);
        Assert.Equal("1", await VersionAsync(gateway, "steady"));

        await WriteAsync(Policy("steady", "5"));
        await Eventually.Async(async () => await VersionAsync(gateway, "steady") == "5", Deadline);
        Assert.Null((await StateAsync(gateway))["refused"]);
    }

    [ServerFact]
    public async Task A_gateway_with_a_broken_file_does_not_start_and_says_everything_that_is_wrong()
    {
        await System.IO.File.WriteAllTextAsync(File, """{"policies": [{"model": "a/b", "arms": []}]}""");
        var failure = await Assert.ThrowsAsync<InvalidRequestException>(StartAsync);
        Assert.Contains("policies[0].model", failure.Message, StringComparison.Ordinal);
        Assert.Contains("policies[0].arms", failure.Message, StringComparison.Ordinal);

        System.IO.File.Delete(File);
        await Assert.ThrowsAsync<InvalidRequestException>(StartAsync);
    }

    [ServerFact]
    public async Task What_the_file_owns_the_api_cannot_change_and_what_the_api_stored_comes_back_behind_it()
    {
        await platform.Gateway.Policies.PutAsync(Samples.Only("contested", "1"));
        await WriteAsync(Policy("contested", "2"));
        await using var gateway = await StartAsync();
        Assert.Equal("2", await VersionAsync(gateway, "contested"));
        Assert.Equal(["contested"], (await StateAsync(gateway))["overrides"]?.AsArray().Select(m => m?.GetValue<string>()));
        var read = await gateway.Policies.GetTrafficPolicyAsync(new GetTrafficPolicyRequest { Model = "contested" }, deadline: Samples.Soon);
        Assert.Equal(("file", 0L), (read.Owner, read.Revision));

        var put = await Assert.ThrowsAsync<RpcException>(() => gateway.Policies.PutAsync(Samples.Only("contested", "3")));
        Assert.Equal(
            (StatusCode.FailedPrecondition, "TRAFFIC_POLICY_FILE_OWNED"), (put.StatusCode, put.Trailers.GetValue("mlops-code")));
        using var deleted = await gateway.Rest.DeleteAsync("/v1/traffic-policies/contested");
        Assert.Equal(HttpStatusCode.Conflict, deleted.StatusCode);
        Assert.Equal("2", await VersionAsync(gateway, "contested"));

        await WriteAsync();
        await Eventually.Async(async () => await VersionAsync(gateway, "contested") == "1", Deadline);
        Assert.Equal("api", (await gateway.Policies.PutAsync(Samples.Only("contested", "3"))).Owner);
    }

    [ServerFact]
    public async Task The_files_changes_stand_in_the_log_once_however_many_replicas_read_it()
    {
        await WriteAsync(Policy("logged", "1"));
        await using var one = await StartAsync();
        await using var two = await StartAsync();
        await WriteAsync(Policy("logged", "2"));
        foreach (var replica in new[] { one, two }) await Eventually.Async(async () => await VersionAsync(replica, "logged") == "2", Deadline);
        await WriteAsync();
        foreach (var replica in new[] { one, two }) await Eventually.Async(async () => await VersionAsync(replica, "logged") is null, Deadline);

        var changes = await Eventually.GetAsync(
            async () => (await one.Policies.ListTrafficPolicyChangesAsync(
                new ListTrafficPolicyChangesRequest { Model = "logged" }, deadline: Samples.Soon)).Changes is { Count: >= 3 } found ? found : null,
            Deadline);
        Assert.Equal(
            [("2", null), ("1", "2"), (null, "1")],
            changes.Select(c => (c.Before?.Arms[0].Version, c.After?.Arms[0].Version)));
        Assert.All(changes, c => Assert.Equal("file", c.Source));
        Assert.All(changes, c => Assert.Contains("policies.json", c.Reason, StringComparison.Ordinal));
    }

    [ServerFact]
    public async Task Without_a_file_its_state_is_not_found()
    {
        using var response = await platform.Gateway.Rest.GetAsync("/v1/policy-file");
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
    }

    private static JsonObject Policy(string model, string version) => new()
    {
        ["model"] = model,
        ["arms"] = new JsonArray(new JsonObject { ["name"] = "only", ["version"] = version, ["weight"] = 1 }),
    };

    private Task WriteAsync(params JsonNode[] policies) =>
        System.IO.File.WriteAllTextAsync(File, new JsonObject { ["policies"] = new JsonArray(policies) }.ToJsonString());

    private Task<GatewayReplica> StartAsync() =>
        platform.StartReplicaAsync($"--Gateway:PolicyFile={File}", "--Gateway:PolicyFileCheckInterval=00:00:00.05");

    private static async Task<JsonObject> StateAsync(GatewayReplica gateway) =>
        await gateway.Rest.GetFromJsonAsync<JsonObject>("/v1/policy-file") ?? throw new InvalidOperationException("An empty answer.");

    private static async Task<string?> VersionAsync(GatewayReplica gateway, string model)
    {
        using var response = await gateway.Rest.PostAsync($"/v2/models/{model}/infer", null);
        return (await response.Content.ReadFromJsonAsync<JsonObject>())?["model_version"]?.GetValue<string>();
    }
}
