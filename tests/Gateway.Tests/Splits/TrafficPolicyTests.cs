using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.Gateway.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Splits;

public sealed class TrafficPolicyTests(Platform<TrafficPolicyTests> platform) : IClassFixture<Platform<TrafficPolicyTests>>
{
    private GatewayService.GatewayServiceClient Policies => platform.Gateway.Policies;

    [ServerFact]
    public async Task What_is_put_is_what_is_read_by_grpc_and_by_rest()
    {
        var put = await Policies.PutAsync(Samples.NinetyTen("round-trip", coverage: 0.25));
        Assert.Equal(put, await GetAsync("round-trip"));
        Assert.True(put.Revision > 0);
        Assert.Equal(("flights", 0.25, true, "x-mlops-subject"), (put.Salt, put.Coverage, put.HasCoverage, put.SubjectHeader));
        var listed = await Policies.ListTrafficPoliciesAsync(new ListTrafficPoliciesRequest(), deadline: Samples.Soon);
        Assert.Contains(put, listed.Policies);

        using var response = await platform.Gateway.Rest.GetAsync("/v1/traffic-policies/round-trip");
        Assert.Equal($"\"{put.Revision}\"", response.Headers.ETag?.Tag);
        var json = await response.Content.ReadFromJsonAsync<JsonObject>();
        Assert.Equal("challenger", json?["arms"]?[1]?["name"]?.GetValue<string>());
        Assert.Equal(put.Revision, json?["revision"]?.GetValue<long>());

        using var same = await platform.Gateway.Rest.PutAsJsonAsync("/v1/traffic-policies/round-trip", json);
        Assert.Equal(HttpStatusCode.OK, same.StatusCode);
    }

    [ServerFact]
    public async Task An_empty_salt_is_the_models_name_and_no_coverage_is_all_of_it()
    {
        var put = await Policies.PutAsync(Samples.Only("defaults", "champion"));
        Assert.Equal(("defaults", 1.0), (put.Salt, put.Coverage));
        var none = Samples.Only("defaults", "champion");
        none.HasCoverage = true;
        Assert.Equal(0, (await Policies.PutAsync(none)).Coverage);
    }

    [ServerFact]
    public async Task An_invalid_policy_is_refused_with_every_violation_and_the_old_one_stays()
    {
        var old = await Policies.PutAsync(Samples.NinetyTen("kept"));
        var failure = await Assert.ThrowsAsync<RpcException>(() => Policies.PutAsync(new TrafficPolicy
        {
            Model = "kept",
            Arms = { new Arm { Name = "a", Version = "latest", Weight = 0.5 }, new Arm { Name = "a", Version = "1", Weight = 0.4 } },
            Coverage = 3,
        }));
        Assert.Equal(StatusCode.InvalidArgument, failure.StatusCode);
        Assert.Equal("TRAFFIC_POLICY_INVALID", failure.Trailers.GetValue("mlops-code"));
        foreach (var field in new[] { "arms[0].version", "arms[1].name", "coverage", "weights must sum to 1" })
        {
            Assert.Contains(field, failure.Status.Detail, StringComparison.Ordinal);
        }

        Assert.Equal(old, await GetAsync("kept"));

        using var rest = await platform.Gateway.Rest.PutAsJsonAsync(
            "/v1/traffic-policies/kept", new { model = "other", arms = new[] { new { name = "a" } } });
        Assert.Equal(HttpStatusCode.BadRequest, rest.StatusCode);
        using var empty = await platform.Gateway.Rest.PutAsJsonAsync("/v1/traffic-policies/kept", new { arms = new object?[] { null } });
        var problem = await empty.Content.ReadFromJsonAsync<JsonObject>();
        Assert.Equal(
            ["arms", "arms[0].name", "arms[0].version", "arms[0].weight"],
            problem?["errors"]?.AsObject().Select(e => e.Key).Order(StringComparer.Ordinal));
        Assert.Equal(old, await GetAsync("kept"));
    }

    [ServerFact]
    public async Task A_misspelt_name_in_json_is_refused_rather_than_ignored()
    {
        using var response = await platform.Gateway.Rest.PutAsJsonAsync(
            "/v1/traffic-policies/misspelt", new { arms = new[] { new { name = "a", version = "1", weight = 1 } }, coverrage = 0.1 });
        Assert.Equal(HttpStatusCode.BadRequest, response.StatusCode);
    }

    [ServerFact]
    public async Task A_change_from_a_stale_revision_is_refused()
    {
        var first = await Policies.PutAsync(Samples.NinetyTen("guarded"));
        var second = await Policies.PutAsync(Samples.NinetyTen("guarded", coverage: 0.5));
        Assert.True(second.Revision > first.Revision);

        var stale = Samples.NinetyTen("guarded", coverage: 0.1);
        stale.Revision = first.Revision;
        var failure = await Assert.ThrowsAsync<RpcException>(() => Policies.PutAsync(stale));
        Assert.Equal((StatusCode.FailedPrecondition, "TRAFFIC_POLICY_CHANGED"),
            (failure.StatusCode, failure.Trailers.GetValue("mlops-code")));

        Assert.Equal(HttpStatusCode.PreconditionFailed, await SendAsync(HttpMethod.Put, "guarded", first.Revision));
        Assert.Equal(HttpStatusCode.PreconditionFailed, await SendAsync(HttpMethod.Delete, "guarded", first.Revision));
        Assert.Equal(second, await GetAsync("guarded"));
        Assert.Equal(HttpStatusCode.OK, await SendAsync(HttpMethod.Put, "guarded", second.Revision));
    }

    [ServerFact]
    public async Task Of_many_writers_from_the_same_revision_one_wins()
    {
        var current = await Policies.PutAsync(Samples.NinetyTen("contended"));
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 10).Select(async i =>
        {
            var policy = Samples.NinetyTen("contended", coverage: i / 10.0);
            policy.Revision = current.Revision;
            try
            {
                return await Policies.PutAsync(policy);
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.FailedPrecondition)
            {
                return null;
            }
        }));
        var winner = Assert.Single(outcomes, o => o is not null);
        Assert.Equal(winner, await GetAsync("contended"));
    }

    [ServerFact]
    public async Task A_deleted_policy_is_gone_and_its_history_stays()
    {
        await Policies.PutAsync(Samples.NinetyTen("passing"));
        await Policies.DeleteTrafficPolicyAsync(
            new DeleteTrafficPolicyRequest { Model = "passing", Actor = "ann", Reason = "enough" }, deadline: Samples.Soon);
        var failure = await Assert.ThrowsAsync<RpcException>(() => GetAsync("passing"));
        Assert.Equal((StatusCode.NotFound, "TRAFFIC_POLICY_NOT_FOUND"), (failure.StatusCode, failure.Trailers.GetValue("mlops-code")));
        Assert.Equal(HttpStatusCode.NotFound, await SendAsync(HttpMethod.Delete, "passing", null));

        var history = await platform.Database.QueryAsync(
            "select actor, reason, before is null, after is null from traffic_policy_change where model = 'passing' order by revision",
            [], r => (r.GetString(0), r.GetString(1), r.GetBoolean(2), r.GetBoolean(3)), CancellationToken.None);
        Assert.Equal([("tests", "a test", true, false), ("ann", "enough", false, true)], history);
    }

    [ServerFact]
    public async Task The_log_of_changes_says_who_why_before_and_after_page_by_page()
    {
        var puts = new List<TrafficPolicy>();
        foreach (var coverage in new[] { 0.1, 0.2, 0.3 })
        {
            puts.Add(await Policies.PutTrafficPolicyAsync(
                new PutTrafficPolicyRequest { Policy = Samples.NinetyTen("watched", coverage), Actor = $"ann {coverage}", Reason = "ramp" },
                deadline: Samples.Soon));
        }

        await Policies.DeleteTrafficPolicyAsync(
            new DeleteTrafficPolicyRequest { Model = "watched", Actor = "bob", Reason = "enough" }, deadline: Samples.Soon);

        var first = await ChangesAsync(new ListTrafficPolicyChangesRequest { Model = "watched", PageSize = 3 });
        var rest = await ChangesAsync(new ListTrafficPolicyChangesRequest { Model = "watched", PageSize = 3, PageToken = first.NextPageToken });
        Assert.Equal((3, 1, ""), (first.Changes.Count, rest.Changes.Count, rest.NextPageToken));
        TrafficPolicyChange[] all = [.. first.Changes, .. rest.Changes];
        Assert.Equal(["bob", "ann 0.3", "ann 0.2", "ann 0.1"], all.Select(c => c.Actor));
        Assert.Equal(["enough", "ramp", "ramp", "ramp"], all.Select(c => c.Reason));
        Assert.Equal([null, puts[2], puts[1], puts[0]], all.Select(c => c.After));
        Assert.Equal([puts[2], puts[1], puts[0], null], all.Select(c => c.Before));
        Assert.All(all, c => Assert.Equal("api", c.Source));
        Assert.All(all[1..], c => Assert.Equal(c.After.UpdatedAtMicros, c.ChangedAtMicros));

        var json = await platform.Gateway.Rest.GetFromJsonAsync<JsonObject>("/v1/traffic-policies/watched/changes?page_size=1");
        var newest = json?["changes"]?.AsArray().Single();
        Assert.Equal("bob", newest?["actor"]?.GetValue<string>());
        Assert.Equal(0.3, newest?["before"]?["coverage"]?.GetValue<double>());
        Assert.Null(newest?["after"]);
        Assert.NotEqual("", json?["next_page_token"]?.GetValue<string>());

        using var refused = await platform.Gateway.Rest.GetAsync("/v1/traffic-policies/watched/changes?page_size=-1&page_token=x");
        Assert.Equal(HttpStatusCode.BadRequest, refused.StatusCode);
    }

    private Task<ListTrafficPolicyChangesResponse> ChangesAsync(ListTrafficPolicyChangesRequest request) =>
        Policies.ListTrafficPolicyChangesAsync(request, deadline: Samples.Soon).ResponseAsync;

    private Task<TrafficPolicy> GetAsync(string model) =>
        Policies.GetTrafficPolicyAsync(new GetTrafficPolicyRequest { Model = model }, deadline: Samples.Soon).ResponseAsync;

    private async Task<HttpStatusCode> SendAsync(HttpMethod method, string model, long? revision)
    {
        using var request = new HttpRequestMessage(method, $"/v1/traffic-policies/{model}");
        if (revision is not null) request.Headers.IfMatch.Add(new EntityTagHeaderValue($"\"{revision}\""));
        if (method == HttpMethod.Put)
        {
            request.Content = JsonContent.Create(new { arms = new[] { new { name = "a", version = "1", weight = 1.0 } } });
        }

        using var response = await platform.Gateway.Rest.SendAsync(request);
        return response.StatusCode;
    }
}
