using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Registry.V1;
using MlOps.TestServers;
using Xunit.Abstractions;

namespace MlOps.Gateway.Tests.Rollouts;

/// <summary>Rollouts in somebody's hands: over both protocols and both replicas.</summary>
[Collection(nameof(RolloutPlatform))]
public sealed class SteeringTests(RolloutPlatform platform, ITestOutputHelper output)
{
    [ServerFact]
    public async Task A_rollout_by_REST_is_paused_resumed_and_promoted_and_the_replicas_agree()
    {
        var model = await platform.NewModelAsync("rest", TrialModels.Line(0), TrialModels.Line(1));
        using var started = await PostAsync(model, "", new
        {
            version = 2,
            plan = new { steps = new object[] { new { set_weight = 0.3 }, new { pause = new { } }, new { set_weight = 0.6 }, new { pause = new { } } } },
            reason = "a test",
        });
        Assert.Equal(HttpStatusCode.Created, started.StatusCode);
        await AgreeAsync(model, 0.3);

        Assert.True((await SteerAsync(model, "pause"))["is_paused"]?.GetValue<bool>());
        Assert.False((await SteerAsync(model, "resume"))["is_paused"]?.GetValue<bool>());
        await AgreeAsync(model, 0.6);

        Assert.Equal("Promoting", (await SteerAsync(model, "promote"))["phase"]?.GetValue<string>());
        var rollout = await platform.WhenInAsync(model, "Succeeded");
        Assert.Equal(2, await platform.ChampionAsync(model));
        Assert.Equal(["tests"], rollout.History.Where(e => e.Message.StartsWith("paused", StringComparison.Ordinal)).Select(e => e.Actor));

        using var again = await PostAsync(model, "/pause", new { actor = "tests" });
        Assert.Equal(HttpStatusCode.Conflict, again.StatusCode);
        Assert.Equal("ROLLOUT_NOT_UNDER_WAY", (await again.Content.ReadFromJsonAsync<JsonObject>())?["code"]?.GetValue<string>());
        var listed = await platform.Doors[1].Rest.GetFromJsonAsync<JsonObject>($"/v1/rollouts/{model}/all");
        Assert.Equal("Succeeded", listed?["rollouts"]?[0]?["phase"]?.GetValue<string>());
    }

    [ServerFact]
    public async Task One_rollout_of_a_model_at_a_time_and_the_others_take_their_turn()
    {
        var model = await platform.NewModelAsync("queue", TrialModels.Line(0), TrialModels.Line(1), TrialModels.Line(2));
        await platform.StartAsync(model, 2, Held(0.2));
        await platform.WhenAsync(model, r => r.Step == 1);
        var second = await platform.StartAsync(model, 3, Held(0.2));
        Assert.Equal("Initialized", second.Phase);
        await RefusedAsync(() => platform.StartAsync(model, 3, Held(0.2)), StatusCode.FailedPrecondition, "ROLLOUT_DECLARED");
        await RefusedAsync(() => platform.StartAsync(model, 1, Held(0.2)), StatusCode.FailedPrecondition, "ROLLOUT_POINTLESS");
        Assert.Equal(2, (await platform.GetAsync(model)).Version);

        // One that waits is ended by its id alone, and its place is free again.
        var ended = await AbortAsync(model, second.RolloutId);
        Assert.Equal((3, "Terminated"), (ended.Version, ended.Phase));
        await platform.StartAsync(model, 3, Held(0.2));
        await AbortAsync(model);
        var next = await platform.WhenAsync(model, r => r.Version == 3 && r.Step == 1);
        Assert.Equal(("Progressing", 1), (next.Phase, next.StableVersion));
        await AbortAsync(model);
        await platform.WhenInAsync(model, "Terminated");
        Assert.Equal(1, await platform.ChampionAsync(model));
    }

    [ServerFact]
    public async Task Going_back_fails_no_request_and_reaches_every_replica()
    {
        var model = await platform.NewModelAsync("back", TrialModels.Line(0), TrialModels.Line(1));
        await using var traffic = new RolloutTraffic(platform, model);
        await platform.StartAsync(model, 2, Held(0.5));
        foreach (var door in Enumerable.Range(0, platform.Doors.Count))
            await Eventually.Async(() => traffic.All.Count(a => a.Door == door && a.Version == "2") > 20, RolloutPlatform.Deadline);

        await BackAsync("on the way", () => AbortAsync(model).ResponseAsync);
        await platform.WhenInAsync(model, "Terminated");

        await platform.StartAsync(model, 2, Held(0.5));
        await platform.WhenAsync(model, r => r.Phase == "Progressing" && r.Step == 1);
        await platform.Rollouts.PromoteRolloutAsync(Steer(model), deadline: Samples.Soon);
        await platform.WhenInAsync(model, "Succeeded");
        await Eventually.Async(() => traffic.All.TakeLast(50).All(a => a.Version == "2"), RolloutPlatform.Deadline);
        await BackAsync("after the promotion", () => platform.Rollouts.RollBackAsync(Steer(model), deadline: Samples.Soon).ResponseAsync);
        await platform.WhenInAsync(model, "Terminated");
        Assert.Equal(1, await platform.ChampionAsync(model));
        await BackForGoodAsync();

        async Task BackAsync(string when, Func<Task<Rollout>> goBack)
        {
            var asked = RolloutTraffic.Now;
            await goBack();
            var answered = RolloutTraffic.Now;
            await BackForGoodAsync();
            var late = platform.Doors.Select((_, door) => traffic.All.Where(a => a.Door == door && a.Version == "2").Max(a => a.Begun) - asked);
            output.WriteLine(
                $"{when}: answered in {(answered - asked).TotalMilliseconds:0} ms; the last request that met the version began, per replica, "
                + string.Join(", ", late.Select(l => $"{l.TotalMilliseconds:0} ms")) + " after it was asked for");
            // On the replica that was asked nobody who comes after its answer meets the version.
            Assert.DoesNotContain(traffic.All, a => a.Door == 0 && a.Version == "2" && a.Begun > answered);
        }

        async Task BackForGoodAsync()
        {
            var from = TimeSpan.Zero;
            await Eventually.Async(
                () =>
                {
                    from = traffic.All.Where(a => a.Version == "2").Max(a => a.Begun);
                    return platform.Doors.Select((_, door) => door).All(door => traffic.All.Count(a => a.Door == door && a.Begun > from) > 50);
                },
                RolloutPlatform.Deadline);
            Assert.Empty(traffic.Failures);
        }
    }

    [ServerFact]
    public async Task A_challenger_is_rolled_out_by_itself_and_loses_the_name_when_it_goes_back()
    {
        var model = await platform.NewModelAsync("alias", TrialModels.Line(0), TrialModels.Line(1));
        await platform.SetAliasAsync(model, "challenger", 2);
        Rollout? begun = null;
        await Eventually.Async(
            async () =>
            {
                try
                {
                    return (begun = await platform.GetAsync(model)).Phase == "Progressing";
                }
                catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
                {
                    return false;
                }
            },
            RolloutPlatform.Deadline);
        Assert.Equal(("alias", "tests", 10), (begun?.Source, begun?.Actor, begun?.Plan.Steps.Count));

        await AbortAsync(model);
        await platform.WhenInAsync(model, "Terminated");
        var version = await platform.Registry.GetModelVersionAsync(new GetModelVersionRequest { Model = model, Version = 2 });
        Assert.Empty(version.Aliases);
    }

    [ServerFact]
    public async Task A_promotion_waits_until_every_inference_replica_has_the_version_warm()
    {
        var model = await platform.NewModelAsync("warm", TrialModels.Line(0), TrialModels.Line(1));
        await platform.StartAsync(model, 2, Held(0.1));
        await platform.WhenAsync(model, r => r.Step == 1);
        await platform.Inferences[1].KillAsync();
        try
        {
            await platform.Rollouts.PromoteRolloutAsync(Steer(model), deadline: Samples.Soon);
            var waiting = await platform.WhenAsync(model, r => r.Message.Contains("waits for", StringComparison.Ordinal));
            Assert.Equal(("Promoting", 0.1), (waiting.Phase, waiting.Weight));
            Assert.Contains(platform.Inferences[1].Http.Port.ToString(System.Globalization.CultureInfo.InvariantCulture), waiting.Message, StringComparison.Ordinal);
            Assert.Equal(1, await platform.ChampionAsync(model));
        }
        finally
        {
            await platform.Inferences[1].StartAgainAsync(TimeSpan.FromMinutes(2));
        }

        await platform.WhenInAsync(model, "Succeeded");
        Assert.Equal(2, await platform.ChampionAsync(model));
    }

    [ServerFact]
    public async Task A_killed_gateway_leaves_its_rollouts_to_the_others_and_takes_part_again_when_it_is_back()
    {
        var model = await platform.NewModelAsync("kill", TrialModels.Line(0), TrialModels.Line(1));
        var plan = new RolloutPlan();
        for (var percent = 1; percent <= 25; percent++)
        {
            plan.Steps.Add(new RolloutStep { SetWeight = percent / 100.0 });
            plan.Steps.Add(new RolloutStep { Pause = new PauseStep { Seconds = 4 } });
        }

        await platform.StartAsync(model, 2, plan);
        // Whichever of them drives it dies at some time.
        foreach (var door in platform.Doors)
        {
            var before = (await platform.WhenAsync(model, r => r.Step > 0)).Step;
            await door.Process.KillAsync();
            await platform.WhenAsync(model, r => r.Step > before + 1);
            await door.Process.StartAgainAsync(TimeSpan.FromMinutes(2));
        }

        await platform.Rollouts.PromoteRolloutAsync(Steer(model), deadline: Samples.Soon);
        var rollout = await platform.WhenInAsync(model, "Succeeded");
        Assert.Equal(2, await platform.ChampionAsync(model));
        // Each weight was set once, in order, and none was left out.
        var weights = rollout.History.Where(e => e.Message.StartsWith("weight ", StringComparison.Ordinal)).Select(e => (int)Math.Round(100 * e.Weight)).ToArray();
        Assert.Equal(Enumerable.Range(1, weights.Length), weights);
    }

    [ServerFact]
    public async Task A_gateway_alone_goes_on_with_its_rollout_when_it_is_back()
    {
        var model = await platform.NewModelAsync("alone", TrialModels.Line(0), TrialModels.Line(1));
        await platform.StartAsync(model, 2, Held(0.3));
        await platform.WhenAsync(model, r => r.Step == 1);
        foreach (var door in platform.Doors) await door.Process.KillAsync();
        foreach (var door in platform.Doors) await door.Process.StartAgainAsync(TimeSpan.FromMinutes(2));
        // The split is in force from the first request on.
        Assert.Equal(0.3, (await platform.Doors[1].Policies.GetTrafficPolicyAsync(new GetTrafficPolicyRequest { Model = model }, deadline: Samples.Soon)).Arms[1].Weight);
        await SteerAsync(model, "resume");
        await platform.WhenInAsync(model, "Succeeded");
    }

    private static RolloutPlan Held(double weight) => new()
    {
        Steps = { new RolloutStep { SetWeight = weight }, new RolloutStep { Pause = new PauseStep() } },
    };

    private static SteerRolloutRequest Steer(string model, string id = "") => new() { Model = model, Actor = "tests", Reason = "a test", RolloutId = id };

    private AsyncUnaryCall<Rollout> AbortAsync(string model, string id = "") =>
        platform.Rollouts.AbortRolloutAsync(Steer(model, id), deadline: Samples.Soon);

    private Task<HttpResponseMessage> PostAsync(string model, string what, object body) =>
        platform.Doors[1].Rest.PostAsJsonAsync($"/v1/rollouts/{model}{what}", body);

    private async Task<JsonObject> SteerAsync(string model, string what)
    {
        using var answer = await PostAsync(model, $"/{what}", new { actor = "tests", reason = "a test" });
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());
        return await answer.Content.ReadFromJsonAsync<JsonObject>() ?? throw new InvalidOperationException("An empty answer.");
    }

    /// <summary>Both gateways split by this weight, and every subject meets the same version at both.</summary>
    private async Task AgreeAsync(string model, double weight)
    {
        foreach (var door in platform.Doors)
        {
            await Eventually.Async(
                async () =>
                {
                    var all = await door.Policies.ListTrafficPoliciesAsync(new ListTrafficPoliciesRequest(), deadline: Samples.Soon);
                    return all.Policies.Any(p => p.Model == model && p.Arms.Count == 2 && p.Arms[1].Weight == weight);
                },
                RolloutPlatform.Deadline);
        }

        var canary = 0;
        for (var i = 0; i < 100; i++)
        {
            var arms = new List<string>();
            foreach (var door in platform.Doors)
            {
                using var call = door.Inference.ModelReadyAsync(new ModelReadyRequest { Name = model }, Samples.Subject($"s-{i}"), Samples.Soon);
                arms.Add((await call.ResponseHeadersAsync).GetValue("x-mlops-variant") ?? "");
                await call;
            }

            Assert.Equal(arms[0], arms[1]);
            if (arms[0] == "canary") canary++;
        }

        Assert.InRange(canary, 100 * weight - 20, 100 * weight + 20);
    }

    private static async Task RefusedAsync(Func<Task> call, StatusCode status, string code)
    {
        var refused = await Assert.ThrowsAsync<RpcException>(call);
        Assert.Equal(status, refused.StatusCode);
        Assert.Contains(code, $"{refused.Status.Detail} {string.Join(' ', refused.Trailers.Select(t => t.IsBinary ? "" : t.Value))}", StringComparison.Ordinal);
    }
}
