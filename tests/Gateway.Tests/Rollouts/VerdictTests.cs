using Grpc.Core;
using MlOps.Contracts.Gateway.V1;
using MlOps.TestServers;
using Xunit.Abstractions;

namespace MlOps.Gateway.Tests.Rollouts;

/// <summary>What becomes of versions that are worse, and of one that is better, under real traffic.</summary>
[Collection(nameof(RolloutPlatform))]
public sealed class VerdictTests(RolloutPlatform platform, ITestOutputHelper output)
{
    private static readonly RolloutRule Errors = new() { Metric = "errors", Absolute = 0.05 };

    [ServerFact]
    public async Task A_version_that_errors_is_rolled_back()
    {
        var model = await platform.NewModelAsync("errs", TrialModels.Line(0), TrialModels.FailingAbove(0.7));
        await using var traffic = new RolloutTraffic(platform, model);
        await platform.StartAsync(model, 2, Ramp(Errors));

        var rollout = await platform.WhenInAsync(model, "Failed");
        Assert.StartsWith("errors: canary 0.", rollout.Message, StringComparison.Ordinal);
        Assert.Equal("broken", Assert.Single(rollout.Findings.Rules).Verdict);
        await IsBackAsync(model, traffic);
        // The stable version failed nobody.
        Assert.All(traffic.Failures, a => Assert.True(a.Variant == "canary" && a.X > 0.7, $"{a}"));
    }

    [ServerFact]
    public async Task A_version_that_is_slow_is_rolled_back()
    {
        var model = await platform.NewModelAsync("slow", TrialModels.Line(0), TrialModels.Slow());
        await using var traffic = new RolloutTraffic(platform, model);
        await platform.StartAsync(
            model, 2, Ramp(Errors, new RolloutRule { Metric = "latency", Absolute = 0.1, ThresholdMs = 50 }));

        var rollout = await platform.WhenInAsync(model, "Failed");
        Assert.StartsWith("share slower than ", rollout.Message, StringComparison.Ordinal);
        await IsBackAsync(model, traffic);
        Assert.Empty(traffic.Failures);
    }

    [ServerFact]
    public async Task A_version_that_predicts_worse_is_rolled_back_when_the_labels_come()
    {
        var model = await platform.NewModelAsync("worse", TrialModels.Line(0.5), TrialModels.Line(3));
        await using var traffic = new RolloutTraffic(platform, model);
        await platform.StartAsync(model, 2, Ramp(Errors, new RolloutRule { Metric = "squared_error", Relative = 0.1 }));

        // Without labels it goes as far as the last analysis, and no further.
        var waiting = await platform.WhenAsync(model, r => r.Step == 3 && r.Findings?.Rules[0].Verdict == "kept");
        Assert.Equal(("Progressing", 0.5), (waiting.Phase, waiting.Weight));
        Assert.Contains("labelled predictions", waiting.Findings.Rules[1].Message, StringComparison.Ordinal);

        var rollout = await platform.WhenAsync(model, r => r.Phase == "Failed", traffic.LabelAsync);
        Assert.StartsWith("squared_error: canary ", rollout.Message, StringComparison.Ordinal);
        await IsBackAsync(model, traffic);
        Assert.Empty(traffic.Failures);
    }

    [ServerFact]
    public async Task A_better_version_is_promoted_and_nobody_notices()
    {
        var model = await platform.NewModelAsync("better", TrialModels.Line(1), TrialModels.Line(0));
        await using var traffic = new RolloutTraffic(platform, model);
        await platform.StartAsync(
            model, 2,
            Ramp(Errors, new RolloutRule { Metric = "latency", Absolute = 0.2 }, new RolloutRule { Metric = "squared_error", Aim = "goal" }));

        var rollout = await platform.WhenAsync(model, r => r.EndedAtMicros > 0, traffic.LabelAsync);
        Assert.True(rollout.Phase == "Succeeded", $"{rollout}");
        Assert.All(rollout.Findings.Rules, r => Assert.Equal("kept", r.Verdict));
        Assert.Equal(
            ["Initializing", "Waiting", "Progressing", "WaitingPromotion", "Promoting", "Finalising", "Succeeded"],
            rollout.History.Select(e => e.Phase).Where(p => p != "Initialized").Distinct());
        Assert.Equal(2, await platform.ChampionAsync(model));
        // Nothing of it is left: the alias alone sends everybody to the new version.
        await HasNoPolicyAsync(model);
        await AnsweredByAsync(traffic, "2");
        Assert.Empty(traffic.Failures);
        output.WriteLine($"{rollout.Findings.Summary}; {traffic.All.Count} requests");
    }

    internal static RolloutPlan Ramp(params IEnumerable<RolloutRule> rules) => new()
    {
        Steps =
        {
            new RolloutStep { SetWeight = 0.2 }, new RolloutStep { Analysis = new AnalysisStep() },
            new RolloutStep { SetWeight = 0.5 }, new RolloutStep { Analysis = new AnalysisStep() },
        },
        Rules = { rules },
        OnInconclusive = "wait",
        MinimumStepSeconds = 0,
    };

    private async Task IsBackAsync(string model, RolloutTraffic traffic)
    {
        Assert.Equal(1, await platform.ChampionAsync(model));
        await HasNoPolicyAsync(model);
        await AnsweredByAsync(traffic, "1");
        Assert.Contains(traffic.All, a => a.Variant == "canary");
    }

    private async Task HasNoPolicyAsync(string model)
    {
        foreach (var door in platform.Doors)
        {
            await Eventually.Async(
                async () =>
                {
                    try
                    {
                        await door.Policies.GetTrafficPolicyAsync(new GetTrafficPolicyRequest { Model = model }, deadline: Samples.Soon);
                        return false;
                    }
                    catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
                    {
                        return true;
                    }
                },
                RolloutPlatform.Deadline);
        }
    }

    /// <summary>From now on every request of the traffic, over every gateway.</summary>
    private static async Task AnsweredByAsync(RolloutTraffic traffic, string version)
    {
        var from = RolloutTraffic.Now;
        await Eventually.Async(() => traffic.All.Count(a => a.Begun > from) > 100, RolloutPlatform.Deadline);
        Assert.All(traffic.All.Where(a => a.Begun > from), a => Assert.Equal((version, ""), (a.Version, a.Variant)));
    }
}
