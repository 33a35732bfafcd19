using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.Gateway.V1;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Splits;

public sealed class LayerTests(Platform<LayerTests> platform) : IClassFixture<Platform<LayerTests>>
{
    [ServerFact]
    public async Task No_subject_takes_part_in_two_experiments_of_a_layer()
    {
        var first = await PutAsync("first", new Layer { Name = "ranking", Start = 0, End = 0.5 });
        await PutAsync("second", new Layer { Name = "ranking", Start = 0.5, End = 1 });
        Assert.Equal(new Layer { Name = "ranking", Start = 0, End = 0.5 }, first.Layer);

        int inFirst = 0, inSecond = 0;
        for (var i = 0; i < 200; i++)
        {
            var (one, two) = (await AssignmentAsync("first", $"s-{i}"), await AssignmentAsync("second", $"s-{i}"));
            Assert.Equal(["assigned", "outside"], new[] { one.Why, two.Why }.Order(StringComparer.Ordinal));
            if (one.Why == "outside") Assert.Equal("champion", one.Arm);
            if (one.Why == "assigned") inFirst++;
            else inSecond++;
        }

        var counts = (await platform.Gateway.Policies.GetAssignmentsAsync(
            new GetAssignmentsRequest { Model = "first" }, deadline: Samples.Soon)).Counts;
        Assert.Equal((200, inSecond), (counts.Sum(c => c.Requests), counts.Sum(c => c.Outside)));
        Assert.Equal(inSecond, counts.Single(c => c.Arm == "champion").Outside);
        Assert.True(inFirst > 50 && inSecond > 50);
    }

    [ServerFact]
    public async Task A_part_of_a_layer_that_another_experiment_has_is_refused()
    {
        await PutAsync("holder", new Layer { Name = "pricing", Start = 0.2, End = 0.6 });
        foreach (var (start, end) in new[] { (0.0, 0.3), (0.59, 1.0), (0.3, 0.4), (0.0, 1.0) })
        {
            var failure = await Assert.ThrowsAsync<RpcException>(() => PutAsync("comer", new Layer { Name = "pricing", Start = start, End = end }));
            Assert.Equal((StatusCode.FailedPrecondition, "LAYER_RANGE_TAKEN"), (failure.StatusCode, failure.Trailers.GetValue("mlops-code")));
            Assert.Contains("holder", failure.Status.Detail, StringComparison.Ordinal);
        }

        await PutAsync("comer", new Layer { Name = "pricing", Start = 0, End = 0.2 });
        await PutAsync("another", new Layer { Name = "pricing-2", Start = 0.3, End = 0.4 });
        // One's own part may be changed.
        await PutAsync("holder", new Layer { Name = "pricing", Start = 0.2, End = 0.7 });
    }

    [ServerFact]
    public async Task Of_two_that_take_the_same_part_at_once_one_gets_it()
    {
        var outcomes = await Task.WhenAll(Enumerable.Range(0, 8).Select(async i =>
        {
            try
            {
                return await PutAsync($"racer-{i}", new Layer { Name = "raced", Start = 0, End = 1 });
            }
            catch (RpcException e) when (e.StatusCode == StatusCode.FailedPrecondition)
            {
                return null;
            }
        }));
        Assert.Single(outcomes, o => o is not null);
    }

    [ServerFact]
    public async Task A_layers_rules_are_checked_by_grpc_and_rest_alike()
    {
        var failure = await Assert.ThrowsAsync<RpcException>(() => PutAsync("wrong", new Layer { Name = "a b", Start = 0.5, End = 0.5 }));
        Assert.Contains("layer.name", failure.Status.Detail, StringComparison.Ordinal);
        Assert.Contains("layer.end", failure.Status.Detail, StringComparison.Ordinal);

        using var rest = await platform.Gateway.Rest.PutAsJsonAsync("/v1/traffic-policies/wrong", new
        {
            arms = new[] { new { name = "a", version = "1", weight = 1.0 } },
            layer = new { name = "a", start = -1 },
        });
        Assert.Equal(HttpStatusCode.BadRequest, rest.StatusCode);
        var problem = await rest.Content.ReadFromJsonAsync<JsonObject>();
        Assert.Equal(["layer.end", "layer.start"], problem?["errors"]?.AsObject().Select(e => e.Key).Order(StringComparer.Ordinal));
    }

    [ServerFact]
    public async Task Who_is_held_out_gets_the_first_arm_of_every_experiment_and_is_counted_apart()
    {
        await using var gateway = await platform.StartReplicaAsync("--Gateway:HoldoutShare=0.3");
        await PutAsync("held-1", null);
        await PutAsync("held-2", null);
        await Eventually.Async(async () => (await gateway.Rest.GetAsync("/v1/traffic-policies/held-2")).IsSuccessStatusCode, TimeSpan.FromSeconds(20));
        var held = 0;
        for (var i = 0; i < 150; i++)
        {
            var one = await AssignmentAsync("held-1", $"s-{i}", gateway);
            var two = await AssignmentAsync("held-2", $"s-{i}", gateway);
            Assert.Equal(one.Why, two.Why);
            if (one.Why != "held-out") continue;
            Assert.Equal(("champion", "champion"), (one.Arm, two.Arm));
            held++;
        }

        Assert.InRange(held, 20, 75);
        var counts = (await gateway.Policies.GetAssignmentsAsync(new GetAssignmentsRequest { Model = "held-1" }, deadline: Samples.Soon)).Counts;
        Assert.Equal(held, counts.Sum(c => c.HeldOut));
    }

    private Task<TrafficPolicy> PutAsync(string model, Layer? layer)
    {
        var policy = Samples.NinetyTen(model);
        policy.Arms[0].Weight = policy.Arms[1].Weight = 0.5;
        policy.Layer = layer;
        return platform.Gateway.Policies.PutAsync(policy);
    }

    private async Task<(string Arm, string Why)> AssignmentAsync(string model, string subject, GatewayReplica? gateway = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v2/models/{model}/infer") { Headers = { { "x-mlops-subject", subject } } };
        using var response = await (gateway ?? platform.Gateway).Rest.SendAsync(request);
        return (response.Headers.GetValues("x-mlops-variant").Single(), response.Headers.GetValues("x-mlops-assignment").Single());
    }
}
