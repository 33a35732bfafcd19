using MlOps.Contracts.Monitoring.V1;
using MlOps.Gateway.Rollouts;
using MlOps.Gateway.Rollouts.Judgement;
using MlOps.Gateway.Rollouts.Observations;
using MlOps.Numerics.Sequential;

namespace MlOps.Gateway.Tests.Rollouts;

public sealed class JudgeRolloutTests
{
    private static readonly RolloutPlan Plan = new RolloutPlan().WithDefaults();

    [Fact]
    public void Equal_arms_are_kept_and_the_rollout_may_go_on()
    {
        var findings = Judge(Plan, Stratum(0.5, stable: 20_000, canary: 20_000));
        Assert.Equal(["kept", "kept", "inconclusive"], findings.Rules.Select(r => r.Verdict));
        // The error against labels is only watched, and there are no labels.
        Assert.True(findings.Allows(isPromotion: true));
        Assert.Null(findings.Broken);
    }

    [Fact]
    public void Too_few_requests_are_said_to_be_too_few()
    {
        var findings = Judge(Plan, Stratum(0.1, stable: 3_000, canary: 300));
        Assert.False(findings.Allows(isPromotion: false));
        Assert.Matches(@"^errors: canary 0\.01, baseline 0\.01, margin 0\.01: needs [\d,]+ more requests of the canary", findings.Missing(isPromotion: false));
        Assert.Equal("errors: nothing of the canary yet: needs 50 more requests of the canary", Judge(Plan).Rules[0].Message);
    }

    [Fact]
    public void Failures_and_slow_answers_are_broken_in_words()
    {
        var failing = Judge(Plan, Stratum(0.5, 5_000, 5_000, canaryFailures: 0.2));
        Assert.Equal("errors", failing.Broken?.Metric);
        Assert.Contains("canary 0.2, baseline 0.01, margin 0.01: broken, p = 0", failing.Broken?.Message, StringComparison.Ordinal);

        var slow = Judge(Plan, Stratum(0.5, 5_000, 5_000, canarySlow: 0.2));
        Assert.Equal("latency", slow.Broken?.Metric);
        Assert.Equal(LatencyBuckets.LowerEdge(LatencyBuckets.Of(10_000) + 1) / 1000.0, slow.Broken?.ThresholdMs);
    }

    [Fact]
    public void Slow_is_what_one_in_a_hundred_of_the_baseline_was_once_it_has_a_hundred()
    {
        Assert.Null(JudgeRollout.SlowBucket([Stratum(0.5, 60, 5_000)]));
        var bucket = JudgeRollout.SlowBucket([Stratum(0.5, 60, 5_000), Stratum(0.5, 60, 10)]);
        Assert.Equal(LatencyBuckets.Of(10_000) + 1, bucket);
    }

    [Fact]
    public void A_limit_of_its_own_threshold_needs_no_baseline()
    {
        var plan = new RolloutPlan
        {
            Rules = [new RolloutRule { Metric = "latency", Aim = "limit", Absolute = 0.05, ThresholdMs = 500 }],
        };
        Assert.Equal("kept", Judge(plan, Stratum(0.9, 0, 5_000)).Rules[0].Verdict);
        var broken = Judge(plan, Stratum(0.9, 0, 5_000, canarySlow: 0.2)).Rules[0];
        Assert.Equal(("broken", 524.288), (broken.Verdict, broken.ThresholdMs));
    }

    [Fact]
    public void Errors_against_labels_are_judged_when_the_labels_have_come()
    {
        var plan = new RolloutPlan { Rules = [new RolloutRule { Metric = "squared_error", Relative = 0.1 }] };
        var early = Judge(plan, Stratum(0.5, 5_000, 5_000));
        Assert.True(early.Allows(isPromotion: false));
        Assert.False(early.Allows(isPromotion: true));
        Assert.Contains("labelled predictions", early.Missing(isPromotion: true), StringComparison.Ordinal);

        var late = Stratum(0.5, 5_000, 5_000) with { StableLogged = Errors(4), CanaryLogged = Errors(6) };
        Assert.Equal("squared_error", Judge(plan, late).Broken?.Metric);
        var better = Stratum(0.5, 5_000, 5_000) with { StableLogged = Errors(4), CanaryLogged = Errors(3) };
        Assert.True(Judge(plan, better).Allows(isPromotion: true));
    }

    [Fact]
    public void A_goal_is_waited_for_before_the_promotion_alone()
    {
        var plan = new RolloutPlan { Rules = [new RolloutRule { Metric = "absolute_error", Aim = "goal" }, new RolloutRule { Metric = "errors", Absolute = 0.01 }] };
        var findings = Judge(plan, Stratum(0.5, 20_000, 20_000));
        Assert.True(findings.Allows(isPromotion: false));
        Assert.False(findings.Allows(isPromotion: true));
    }

    [Fact]
    public void A_split_that_is_not_the_declared_one_blocks()
    {
        var fair = Stratum(0.1, 20_000, 20_000) with { Observed = Observed(20_000, 20_000) with { StableSubjects = 4_500, CanarySubjects = 500 } };
        Assert.False(Judge(Plan, fair).IsMismatch);
        Assert.True(Judge(Plan, fair).Allows(isPromotion: true));

        var unfair = fair with { Observed = fair.Observed with { CanarySubjects = 700 } };
        var findings = Judge(Plan, fair, unfair);
        Assert.True(findings.IsMismatch);
        Assert.False(findings.Allows(isPromotion: false));
        Assert.StartsWith("sample ratio mismatch: 9,000 subjects on stable, 1,200 on the canary", findings.Missing(isPromotion: true), StringComparison.Ordinal);
    }

    [Fact]
    public void Evidence_from_smaller_shares_alone_does_not_lead_further()
    {
        var before = Stratum(0.1, 20_000, 20_000);
        before = before with { Stratum = before.Stratum with { Until = default(DateTimeOffset) } };
        var early = Judge(Plan, before, Stratum(0.5, 30, 20));
        Assert.False(early.Allows(isPromotion: false));
        Assert.Equal("needs 30 more requests of the canary at this split", early.Missing(isPromotion: false));
        Assert.True(Judge(Plan, before, Stratum(0.5, 50, 50)).Allows(isPromotion: true));
        // With everybody on one version there is no split whose requests could be waited for.
        Assert.True(Judge(Plan, before).Allows(isPromotion: true));
    }

    [Fact]
    public void Findings_are_kept_as_JSON_whatever_they_do_not_know()
    {
        var findings = Judge(Plan);
        var json = System.Text.Json.JsonSerializer.Serialize(findings, Gateway.Splits.PolicyJson.Options);
        var again = System.Text.Json.JsonSerializer.Deserialize<Findings>(json, Gateway.Splits.PolicyJson.Options);
        Assert.Equal(findings.Rules, again?.Rules);
        Assert.Null(again?.Rules[0].Upper);
    }

    private static Findings Judge(RolloutPlan plan, params Evidence[] evidence) =>
        JudgeRollout.Judge(plan, JudgeRollout.SlowBucket(evidence), evidence, default);

    private static Evidence Stratum(
        double weight, int stable, int canary, double canaryFailures = 0.01, double canarySlow = 0.01) => new(
        new RolloutStratum(1, weight, default, null), Observed(stable, canary, canaryFailures, canarySlow), null, null);

    private static ObservedStratum Observed(int stable, int canary, double canaryFailures = 0.01, double canarySlow = 0.01) =>
        new(Counts(stable, 0.01, 0.01), Counts(canary, canaryFailures, canarySlow), 0, 0);

    /// <summary>Evenly over the slices: 10 ms, or 2 s where it is slow.</summary>
    private static ArmCounts Counts(int requests, double failures, double slow)
    {
        var counts = new ArmCounts();
        for (var i = 0; i < requests; i++)
        {
            var slice = i * 37 % ArmCounts.Slices;
            counts.Requests[(slice * LatencyBuckets.Count) + LatencyBuckets.Of(Happens(i, slow) ? 2_000_000 : 10_000)]++;
            if (Happens(i, failures)) counts.Failures[slice]++;
        }

        return counts;
    }

    private static bool Happens(int i, double share) => (int)((i + 1) * share) > (int)(i * share);

    private static ArmStatistics Errors(double mean) => new()
    {
        SquaredError = new Moments { Count = 5_000, Mean = mean, M2 = 5_000, ClusteredM2 = 5_000 },
    };
}
