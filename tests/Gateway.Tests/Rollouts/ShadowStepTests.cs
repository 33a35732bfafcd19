using System.Net.Http.Json;
using System.Text.Json.Nodes;
using MlOps.Contracts.Gateway.V1;
using MlOps.Gateway.Rollouts;
using MlOps.TestServers;
using RolloutPlan = MlOps.Contracts.Gateway.V1.RolloutPlan;
using RolloutStep = MlOps.Contracts.Gateway.V1.RolloutStep;
using ShadowStep = MlOps.Contracts.Gateway.V1.ShadowStep;

namespace MlOps.Gateway.Tests.Rollouts;

/// <summary>Versions that answer beside the live one before anybody meets them, on real Inference and a real prediction log.</summary>
[Collection(nameof(RolloutPlatform))]
public sealed class ShadowStepTests(RolloutPlatform platform)
{
    [ServerFact]
    public async Task Every_pair_is_counted_once_and_compared_with_its_label()
    {
        var model = await platform.NewModelAsync("pairs", TrialModels.Line(0), TrialModels.Line(1), TrialModels.FailingAbove(0.5));
        await platform.Doors[0].Policies.PutAsync(new TrafficPolicy
        {
            Model = model,
            Arms = { new Arm { Name = "only", Version = "1", Weight = 1 } },
            Shadows = { new Shadow { Version = "2", Rate = 1 }, new Shadow { Version = "3", Rate = 1 } },
        });
        RolloutTraffic traffic;
        await using (traffic = new RolloutTraffic(platform, model, doors: 1))
        {
            await Eventually.Async(() => traffic.All.Count > 300, RolloutPlatform.Deadline);
        }

        Assert.Empty(traffic.Failures);
        await traffic.LabelAsync();
        var total = traffic.All.Count;
        var report = await ReportAsync(model, "2", r => r.Comparison.Pairs == total && r.Comparison.All.Labelled == total && r.Counts.BothAnswered == total);
        Assert.Equal((total, 0, total), (report.Comparison.All.Pairs, report.Comparison.All.Equal, report.Comparison.Latency.Requests));
        // Version 2 is one above version 1, in single precision.
        Assert.Equal(1, report.Comparison.All.MeanDifference, 1e-5);
        Assert.Equal(1, report.Comparison.All.MaxAbsoluteDifference, 1e-5);
        Assert.Equal(traffic.All.Average(a => Math.Abs((2 * a.X) - RolloutTraffic.Truth(a.X))), report.Comparison.All.LiveError, 1e-5);
        Assert.True(report.Comparison.All.DifferencePValue < 1e-6);
        Assert.Equal(total, report.Comparison.Segments.Sum(s => s.Figures.Pairs));
        Assert.Equal(4, report.Comparison.Segments.Count);
        // 2x ≥ 1 where x ≥ 0.5; 2x + 1 ≥ 1 always.
        Assert.Equal((traffic.All.Count(a => a.X < 0.5), 0), (report.Comparison.All.FlipsUp, report.Comparison.All.FlipsDown));

        var failing = traffic.All.Count(a => a.X > 0.5);
        var third = await ReportAsync(model, "3", r => r.Comparison.Pairs == total - failing && r.Comparison.Failures == failing && r.Counts.OnlyLiveAnswered == failing);
        Assert.Equal((total - failing, total - failing), (third.Counts.BothAnswered, third.Comparison.All.Equal));
        Assert.True(third.Counts.FailurePValue < 1e-6);

        var json = await platform.Doors[0].Rest.GetFromJsonAsync<JsonObject>($"/v1/shadows/{model}/2?threshold=1&segment=x");
        Assert.Equal(total, json?["comparison"]?["all"]?["pairs"]?.GetValue<long>());
        Assert.Equal(4, json?["comparison"]?["segments"]?.AsArray().Count);
        // What shadows answer is no traffic.
        var arms = await platform.Monitoring.GetArmStatisticsAsync(new() { Model = model }, deadline: Samples.Soon);
        Assert.All(arms.Arms, a => Assert.Equal("1", a.Version));
    }

    [ServerFact]
    public async Task A_shadow_that_fails_goes_back_before_anybody_met_it()
    {
        var model = await platform.NewModelAsync("unmet", TrialModels.Line(0), TrialModels.FailingAbove(0.7));
        await using var traffic = new RolloutTraffic(platform, model);
        await platform.StartAsync(model, 2, PlanOf(new ShadowStep { Samples = 200 }));
        var rollout = await platform.WhenInAsync(model, "Failed");
        Assert.Matches("^[0-9]+ shadowed, [0-9.]+ % failed where the live version answered, .*: failures above 1 %$", rollout.Message);
        Assert.Equal(0, rollout.Step);
        Assert.InRange(rollout.Shadow.Counts.OnlyLiveAnswered / (double)(rollout.Shadow.Counts.BothAnswered + rollout.Shadow.Counts.OnlyLiveAnswered), 0.15, 0.45);
        Assert.Empty(traffic.Failures);
        Assert.DoesNotContain(traffic.All, a => a.Version == "2");
    }

    [ServerFact]
    public async Task A_shadow_that_is_well_is_met_next_and_what_it_did_stays_with_the_rollout()
    {
        var model = await platform.NewModelAsync("met", TrialModels.Line(0), TrialModels.Line(0.5));
        await using var traffic = new RolloutTraffic(platform, model);
        await platform.StartAsync(model, 2, PlanOf(new ShadowStep { Samples = 100, Rate = 0.5, MaxDifference = 0.6 }));
        var rollout = await platform.WhenAsync(model, r => r.Weight == 0.5);
        Assert.Equal(0.5, rollout.Shadow.Comparison.All.MeanDifference, 1e-5);
        Assert.True(rollout.Shadow.Counts.BothAnswered >= 100, $"{rollout.Shadow.Counts}");
        Assert.Equal(["shadow of 50 % of the requests"], rollout.History.Where(e => e.Message.StartsWith("shadow of", StringComparison.Ordinal)).Select(e => e.Message));
        // Nobody is shadowed any more.
        Assert.Empty((await platform.Doors[0].Policies.GetTrafficPolicyAsync(new GetTrafficPolicyRequest { Model = model }, deadline: Samples.Soon)).Shadows);
        await platform.Rollouts.AbortRolloutAsync(new SteerRolloutRequest { Model = model }, deadline: Samples.Soon);
        await platform.WhenInAsync(model, "Terminated");
        Assert.Empty(traffic.Failures);
    }

    [Theory]
    [InlineData(0, null, 0.2, false)]
    [InlineData(1, null, 0.2, false)]
    [InlineData(2, null, 0.2, true)]
    [InlineData(0, 0.1, 0.2, true)]
    [InlineData(0, 0.3, 0.2, false)]
    [InlineData(0, 0.1, double.NaN, null)]
    public void A_step_is_judged_by_its_own_limits(int failures, double? most, double difference, bool? isWorse)
    {
        var step = new MlOps.Gateway.Rollouts.ShadowStep(100, MaxDifference: most);
        var found = new ShadowReport
        {
            Counts = new ShadowCounts { OnlyLiveAnswered = failures, BothAnswered = 100 - failures },
            Comparison = new()
            {
                All = new() { Pairs = double.IsNaN(difference) ? 0 : 100, MeanAbsoluteDifference = difference },
            },
        };
        Assert.Equal(isWorse, ShadowVersion.Judge(step, found, 100)?.IsWorse);
    }

    private static RolloutPlan PlanOf(ShadowStep step) => new()
    {
        Steps =
        {
            new RolloutStep { Shadow = step }, new RolloutStep { SetWeight = 0.5 },
            new RolloutStep { Pause = new MlOps.Contracts.Gateway.V1.PauseStep() },
        },
    };

    private async Task<ShadowReport> ReportAsync(string model, string version, Func<ShadowReport, bool> isWanted)
    {
        ShadowReport? last = null;
        try
        {
            await Eventually.Async(
                async () =>
                {
                    var client = new ShadowService.ShadowServiceClient(platform.Doors[0].Channel);
                    last = await client.GetShadowReportAsync(
                        new GetShadowReportRequest { Model = model, Version = version, Threshold = 1, Segment = "x" }, deadline: Samples.Soon);
                    return isWanted(last);
                },
                TimeSpan.FromSeconds(60));
            return last!; // the condition above held
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}: {last}", e);
        }
    }
}
