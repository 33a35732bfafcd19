using System.Net;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Numerics.Assignment;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Experiments;

/// <summary>Experiments from their declaration to the decision, over real services.</summary>
[Collection(nameof(ExperimentPlatform))]
public sealed class ExperimentTests(ExperimentPlatform platform)
{
    [ServerFact]
    public async Task A_business_metric_posted_late_finds_the_better_arm_and_a_restart_forgets_nothing()
    {
        var model = await platform.NewModelAsync("shop");
        var draft = await DeclareAsync("late-metric", model);
        Assert.Equal("draft", draft["state"]?.GetValue<string>());
        await platform.SendAsync(HttpMethod.Get, "/v1/experiments/late-metric/readout", expected: 409);
        var started = await platform.SendAsync(HttpMethod.Post, "/v1/experiments/late-metric/start", new { actor = "ann", reason = "a test" });
        Assert.Equal("running", started["state"]?.GetValue<string>());

        var met = await platform.AskAsync(model, Enumerable.Range(0, 1_600).Select(i => $"user-{i}"));
        Assert.All(met, m => Assert.Equal(m.Arm == "control" ? "1" : "2", m.Version));
        var before = await platform.ReadAsync("late-metric", met.Count);
        Assert.Equal("collecting", before["stop"]?["state"]?.GetValue<string>());
        foreach (var arm in before["sample_ratio"]!["arms"]!.AsArray())
            Assert.Equal(met.Count(m => m.Arm == arm?["arm"]?.GetValue<string>()), arm?["subjects"]?.GetValue<int>());

        // Of the control every tenth buys, of the treatment every third; some a second time, for which a share does not care.
        var outcomes = met.GroupBy(m => m.Arm)
            .SelectMany(arm => arm.Where((_, i) => i % (arm.Key == "control" ? 10 : 3) == 0).Select(m => Purchase(m.Subject, "first")))
            .ToArray();
        var answer = await platform.Monitoring.SubmitOutcomesAsync(new SubmitOutcomesRequest { Outcomes = { outcomes } });
        Assert.Equal(outcomes.Length, answer.Accepted);
        await platform.Monitoring.SubmitOutcomesAsync(new SubmitOutcomesRequest
        {
            // Sent again, a second event, one from before the experiment, one of somebody who took no part.
            Outcomes =
            {
                outcomes[0], Purchase(outcomes[1].Subject, "second"), Purchase("nobody", "first"),
                met.Where(m => m.Arm == "control").Skip(1).Take(1).Select(m => Purchase(m.Subject, "early", TimeSpan.FromDays(-1))),
            },
        });

        var after = await platform.ReadAsync("late-metric", met.Count);
        Assert.Equal(("better", "treatment"), (Text(after, "stop", "state"), Text(after, "stop", "arm")));
        Assert.StartsWith("Take treatment (version 2)", after["recommendation"]?.GetValue<string>(), StringComparison.Ordinal);
        foreach (var arm in after["primary"]!["arms"]!.AsArray())
        {
            var mine = met.Where(m => m.Arm == arm?["arm"]?.GetValue<string>()).Select(m => m.Subject).ToHashSet();
            Assert.Equal(outcomes.Count(o => mine.Contains(o.Subject)) / (double)mine.Count, arm!["mean"]!.GetValue<double>(), 1e-12);
        }

        // Over gRPC the same figures.
        var wire = await platform.Experiments.GetExperimentReadoutAsync(new GetExperimentRequest { Name = "late-metric" }, deadline: Samples.Soon);
        Assert.Equal(after["primary"]!["arms"]![1]!["mean"]!.GetValue<double>(), wire.Primary.Arms[1].Mean, 1e-9);
        Assert.False(wire.Primary.Arms[0].VersusControl is not null);

        await platform.RestartAsync();
        var again = await platform.ReadAsync("late-metric", met.Count);
        // The database sums in whatever order it likes.
        foreach (var (one, other) in after["primary"]!["arms"]!.AsArray().Zip(again["primary"]!["arms"]!.AsArray()))
            Assert.Equal(one!["mean"]!.GetValue<double>(), other!["mean"]!.GetValue<double>(), 1e-9);
        Assert.Equal(met.Count, (await platform.AskAsync(model, met.Select(m => m.Subject))).Intersect(met, SameArm.Instance).Count());

        var decided = await platform.SendAsync(
            HttpMethod.Post, "/v1/experiments/late-metric/decide", new { arm = "treatment", actor = "ann", reason = "it is better" });
        Assert.Equal(("decided", "better"), (Text(decided, "state"), Text(decided, "decision", "stop_state")));
        Assert.All(await platform.AskAsync(model, met.Take(40).Select(m => m.Subject)), m => Assert.Equal("2", m.Version));
        await platform.SendAsync(HttpMethod.Post, "/v1/experiments/late-metric/stop", expected: 409);
        // What was asked while it ran stays readable, and later answers are not in it.
        await platform.ReadAsync("late-metric", met.Count);
    }

    [ServerFact]
    public async Task An_arm_that_loses_subjects_blocks_the_read_out()
    {
        var model = await platform.NewModelAsync("lossy");
        await DeclareAsync("lossy", model);
        await platform.SendAsync(HttpMethod.Post, "/v1/experiments/lossy/start");
        // Clients of the treatment fail to come through in 4 of 10 cases.
        var come = Enumerable.Range(0, 1_200).Where(i => i % 10 >= 4 || SubjectHash.Bucket("lossy", $"u-{i}") < 0.5).Select(i => $"u-{i}").ToArray();
        var met = await platform.AskAsync(model, come);
        Assert.InRange(met.Count(m => m.Arm == "treatment"), 250, 450);

        var readout = await platform.ReadAsync("lossy", met.Count);
        Assert.False(readout["is_valid"]?.GetValue<bool>());
        Assert.Equal("invalid", Text(readout, "stop", "state"));
        Assert.StartsWith("Do not act on these figures. Sample-ratio mismatch", readout["recommendation"]?.GetValue<string>(), StringComparison.Ordinal);
        await platform.SendAsync(HttpMethod.Post, "/v1/experiments/lossy/stop");
    }

    [ServerFact]
    public async Task Experiments_of_a_layer_share_no_subject_and_whoever_is_outside_is_in_no_arm()
    {
        var (one, two, three) = (await platform.NewModelAsync("one"), await platform.NewModelAsync("two"), await platform.NewModelAsync("three"));
        await DeclareAsync("first-half", one, new { name = "pages", start = 0.0, end = 0.5 });
        await DeclareAsync("second-half", two, new { name = "pages", start = 0.5, end = 1.0 });
        await DeclareAsync("both-halves", three, new { name = "pages", start = 0.4, end = 0.6 });
        await platform.SendAsync(HttpMethod.Post, "/v1/experiments/first-half/start");
        await platform.SendAsync(HttpMethod.Post, "/v1/experiments/second-half/start");
        var refused = await platform.SendAsync(HttpMethod.Post, "/v1/experiments/both-halves/start", expected: 409);
        Assert.Equal("LAYER_RANGE_TAKEN", Text(refused, "code"));
        Assert.Equal("draft", Text(await platform.SendAsync(HttpMethod.Get, "/v1/experiments/both-halves"), "state"));

        var subjects = Enumerable.Range(0, 200).Select(i => $"s-{i}").ToArray();
        var (inOne, inTwo) = (await platform.AskAsync(one, subjects), await platform.AskAsync(two, subjects));
        Assert.All(inOne.Where(m => m.Arm == "outside"), m => Assert.Equal("1", m.Version));
        var taking = inOne.Count(m => m.Arm != "outside");
        await platform.ReadAsync("first-half", taking);
        await platform.ReadAsync("second-half", inTwo.Count(m => m.Arm != "outside"));

        var exposed = new[] { await ExposedAsync("first-half"), await ExposedAsync("second-half") };
        Assert.Equal(taking, exposed[0].Length);
        Assert.Equal(200, exposed[0].Concat(exposed[1]).Distinct().Count());
        Assert.Equal(
            inOne.Where(m => m.Arm != "outside").Select(m => (HashedSubjects.HashOf(m.Subject), m.Arm)).Order(), exposed[0].Order());
    }

    [ServerFact]
    public async Task A_running_experiment_keeps_its_split_and_gives_back_the_policy_from_before()
    {
        var model = await platform.NewModelAsync("kept");
        var policy = await platform.Gateway.Policies.PutAsync(Samples.Only(model, "2"));
        await DeclareAsync("kept", model);
        await platform.SendAsync(HttpMethod.Post, "/v1/experiments/kept/start");
        foreach (var change in new Func<Task>[]
        {
            () => platform.Gateway.Policies.PutAsync(Samples.NinetyTen(model)),
            () => platform.Gateway.Policies.DeleteTrafficPolicyAsync(new DeleteTrafficPolicyRequest { Model = model }, deadline: Samples.Soon).ResponseAsync,
        })
        {
            var failure = await Assert.ThrowsAsync<RpcException>(change);
            Assert.Equal((StatusCode.FailedPrecondition, "MODEL_IS_SPLIT"), (failure.StatusCode, failure.Trailers.GetValue("mlops-code")));
        }

        await DeclareAsync("kept-too", model);
        Assert.Equal("MODEL_IS_SPLIT", Text(await platform.SendAsync(HttpMethod.Post, "/v1/experiments/kept-too/start", expected: 409), "code"));
        Assert.Equal("EXPERIMENT_BEGUN", Text(await platform.SendAsync(HttpMethod.Delete, "/v1/experiments/kept", expected: 409), "code"));

        await platform.SendAsync(HttpMethod.Post, "/v1/experiments/kept/stop");
        var back = await platform.Gateway.Policies.GetTrafficPolicyAsync(new GetTrafficPolicyRequest { Model = model }, deadline: Samples.Soon);
        (back.Revision, back.UpdatedAtMicros) = (policy.Revision, policy.UpdatedAtMicros);
        Assert.Equal(policy, back);
    }

    [ServerFact]
    public async Task A_split_under_way_is_adopted_and_moves_nobody()
    {
        var model = await platform.NewModelAsync("adopted");
        await platform.Gateway.Policies.PutAsync(Samples.NinetyTen(model, coverage: 0.8));
        var subjects = Enumerable.Range(0, 120).Select(i => $"s-{i}").ToArray();
        var before = await platform.AskAsync(model, subjects);
        var refused = await DeclareAsync("with-arms", model);
        Assert.Equal("MODEL_IS_SPLIT", Text(await platform.SendAsync(HttpMethod.Post, $"/v1/experiments/with-arms/start", expected: 409), "code"));

        await platform.SendAsync(HttpMethod.Put, "/v1/experiments/adopting", Body(model, arms: null));
        var started = await platform.SendAsync(HttpMethod.Post, "/v1/experiments/adopting/start");
        Assert.Equal(("flights", 0.8), (Text(started, "plan", "salt"), started["plan"]!["coverage"]!.GetValue<double>()));
        var after = await platform.AskAsync(model, subjects);
        Assert.Equal(before.Select(m => (m.Subject, m.Version)).Order(), after.Select(m => (m.Subject, m.Version)).Order());
        Assert.Contains(after, m => m.Arm == "outside");
        Assert.Equal("draft", Text(refused, "state"));
    }

    [ServerFact]
    public async Task The_stop_rule_ends_an_experiment_by_itself_and_says_so_in_an_event()
    {
        var model = await platform.NewModelAsync("auto");
        await platform.SendAsync(HttpMethod.Put, "/v1/experiments/auto", Body(model, isAutomatic: true));
        await platform.SendAsync(HttpMethod.Post, "/v1/experiments/auto/start");
        var met = await platform.AskAsync(model, Enumerable.Range(0, 700).Select(i => $"user-{i}"));
        await platform.Monitoring.SubmitOutcomesAsync(new SubmitOutcomesRequest
        {
            Outcomes = { met.Where(m => m.Arm == "treatment").Select(m => new Outcome { Metric = "purchase", Value = 1, PredictionId = m.PredictionId }) },
        });

        JsonObject? found = null;
        await Eventually.Async(
            async () => Text(found = await platform.SendAsync(HttpMethod.Get, "/v1/experiments/auto"), "state") == "decided", ExperimentPlatform.Deadline);
        Assert.Equal(
            ("treatment", "stop rule", "better"),
            (Text(found!, "decision", "arm"), Text(found!, "decision", "actor"), Text(found!, "decision", "stop_state")));
        // Nobody promotes by an experiment: the traffic is as it was, once the gateway has heard of the end.
        using var rest = new HttpClient { BaseAddress = platform.Gateway.Rest.BaseAddress };
        await Eventually.Async(
            async () =>
            {
                using var policy = await rest.GetAsync($"/v1/traffic-policies/{model}");
                return policy.StatusCode == System.Net.HttpStatusCode.NotFound;
            },
            ExperimentPlatform.Deadline);
        Assert.All(await platform.AskAsync(model, met.Take(40).Select(m => m.Subject)), m => Assert.Equal(("", "1"), (m.Arm, m.Version)));
        var audited = await platform.SendAsync(HttpMethod.Get, $"/v1/access/audit?model={model}");
        Assert.Contains(audited["entries"]!.AsArray(), e => Text(e!, "actor") == "platform:stop rule" && Text(e!, "action") == "experiment");
    }

    [ServerFact]
    public async Task Changes_are_guarded_by_the_revision_and_what_is_wrong_names_its_field()
    {
        var model = await platform.NewModelAsync("guarded");
        await DeclareAsync("guarded", model);
        var second = await platform.SendAsync(HttpMethod.Put, "/v1/experiments/guarded", Body(model), ifMatch: "\"1\"");
        Assert.Equal(2, second["revision"]?.GetValue<long>());
        var stale = await platform.SendAsync(HttpMethod.Put, "/v1/experiments/guarded", Body(model), expected: 412, ifMatch: "\"1\"");
        Assert.Equal("EXPERIMENT_CHANGED", Text(stale, "code"));
        await platform.SendAsync(HttpMethod.Post, "/v1/experiments/guarded/start", expected: 412, ifMatch: "\"1\"");

        var wrong = await platform.SendAsync(
            HttpMethod.Put, "/v1/experiments/guarded", new { model, hypothesis = "h", primary = new { name = "p", kind = "clicks", direction = "up" } }, 400);
        Assert.Equal("EXPERIMENT_INVALID", Text(wrong, "code"));
        Assert.Equal(["primary.kind", "primary.direction", "primary.absolute"], wrong["errors"]!.AsObject().Select(e => e.Key));
        Assert.Equal(404, (int)(await platform.Gateway.Rest.GetAsync("/v1/experiments/nobody")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await platform.Gateway.Rest.PostAsync("/v1/experiments/nobody/start", null)).StatusCode);
        await platform.SendAsync(HttpMethod.Delete, "/v1/experiments/guarded", expected: 204, ifMatch: "\"2\"");
        await platform.SendAsync(HttpMethod.Get, "/v1/experiments/guarded", expected: 404);
    }

    [ServerFact]
    public async Task Another_replica_starts_reads_and_ends_the_same_experiment()
    {
        var model = await platform.NewModelAsync("shared");
        await DeclareAsync("shared", model);
        await using var other = await platform.StartReplicaAsync();
        var experiments = new ExperimentService.ExperimentServiceClient(other.Channel);
        await experiments.StartExperimentAsync(new SteerExperimentRequest { Name = "shared", Actor = "bob" }, deadline: Samples.Soon);
        await Eventually.Async(() => Policy(platform.Gateway), ExperimentPlatform.Deadline);
        var subjects = Enumerable.Range(0, 60).Select(i => $"s-{i}").ToArray();
        var (here, there) = (await platform.AskAsync(model, subjects), await platform.AskAsync(model, subjects, other));
        Assert.Equal(60, here.Intersect(there, SameArm.Instance).Count());
        await platform.SendAsync(HttpMethod.Post, "/v1/experiments/shared/stop");
        Assert.Equal("stopped", (await experiments.GetExperimentAsync(new GetExperimentRequest { Name = "shared" }, deadline: Samples.Soon)).State);

        async Task<bool> Policy(GatewayReplica replica) =>
            (await replica.Rest.GetAsync($"/v1/traffic-policies/{model}")).StatusCode == HttpStatusCode.OK;
    }

    private Task<JsonObject> DeclareAsync(string name, string model, object? layer = null) =>
        platform.SendAsync(HttpMethod.Put, $"/v1/experiments/{name}", Body(model, layer: layer));

    private static object Body(string model, object? layer = null, bool isAutomatic = false) => Body(
        model,
        [new { name = "control", version = "1", weight = 0.5 }, new { name = "treatment", version = "2", weight = 0.5 }], layer, isAutomatic);

    private static object Body(string model, object[]? arms, object? layer = null, bool isAutomatic = false) => new
    {
        model,
        hypothesis = "Version 2 sells more.",
        arms = arms ?? [],
        layer,
        primary = new { name = "conversion", kind = "outcome_share", outcome = "purchase", direction = "higher", absolute = 0.02 },
        guardrails = new[] { new { name = "errors", kind = "error_rate", direction = "lower", absolute = 0.01 } },
        stop = new { is_automatic = isAutomatic },
        actor = "ann",
        reason = "a test",
    };

    private static Outcome Purchase(string subject, string id, TimeSpan? after = null) => new()
    {
        Metric = "purchase",
        Value = 1,
        Subject = subject,
        EventId = id,
        ObservedAtMicros = after is { } span ? (TimeProvider.System.GetUtcNow() + span - DateTimeOffset.UnixEpoch).Ticks / 10 : 0,
    };

    private async Task<(string, string)[]> ExposedAsync(string name)
    {
        var (all, token) = (new List<(string, string)>(), "");
        do
        {
            var page = await platform.SendAsync(HttpMethod.Get, $"/v1/experiments/{name}/exposures?page_size=30&page_token={token}");
            all.AddRange(page["exposures"]!.AsArray().Select(e => (Text(e!, "subject_hash"), Text(e!, "arm"))));
            token = Text(page, "next_page_token");
        }
        while (token.Length > 0);
        return [.. all];
    }

    private static string Text(JsonNode json, params string[] path) =>
        path.Aggregate((JsonNode?)json, (node, part) => node?[part])?.GetValue<string>() ?? "";

    private sealed class SameArm : IEqualityComparer<Met>
    {
        public static SameArm Instance { get; } = new();

        public bool Equals(Met? x, Met? y) => (x?.Subject, x?.Arm) == (y?.Subject, y?.Arm);

        public int GetHashCode(Met obj) => obj.Subject.GetHashCode(StringComparison.Ordinal);
    }
}
