using MlOps.Numerics.Sequential;

namespace MlOps.Numerics.Tests.Sequential;

public class RolloutJudgeTests
{
    private static readonly MetricRule Errors = new("errors", MetricAim.Guardrail, MetricDirection.LowerIsBetter, 0.01);
    private static readonly MetricRule Loss =
        new("loss", MetricAim.Guardrail, MetricDirection.LowerIsBetter, 0, Relative: 0.05);

    [Theory]
    [InlineData(20_000, 200, 20_000, 200, Verdict.Kept)]
    [InlineData(20_000, 200, 20_000, 900, Verdict.Broken)]
    [InlineData(20_000, 200, 20_000, 400, Verdict.Inconclusive)]
    [InlineData(20_000, 200, 40, 40, Verdict.Inconclusive)]
    [InlineData(20_000, 200, 60, 60, Verdict.Broken)]
    [InlineData(20_000, 0, 200, 15, Verdict.Inconclusive)]
    [InlineData(20_000, 0, 20_000, 0, Verdict.Kept)]
    public void A_share_is_kept_broken_or_open(int requests, int errors, int canaryRequests, int canaryErrors, Verdict expected)
    {
        var verdict = One(Errors, new Stratum(Share(requests, errors), Share(canaryRequests, canaryErrors)));
        Assert.Equal(expected, verdict.Verdict);
        Assert.Equal(expected == Verdict.Broken, verdict.PValue <= 0.05 && canaryErrors >= 20 && canaryRequests >= 50);
        if (expected == Verdict.Inconclusive) Assert.True(verdict.MoreNeeded > 0);
        else Assert.Equal(0, verdict.MoreNeeded);
    }

    [Fact]
    public void A_margin_relative_to_the_baseline_is_a_contrast_of_both_means()
    {
        // 4 % worse by an error of 0.2 %: under the margin of 5 % by about 5 standard errors.
        var kept = One(Loss, new Stratum(Mean(100_000, 10, 4), Mean(100_000, 10.4, 4)));
        Assert.Equal(Verdict.Kept, kept.Verdict);
        Assert.Equal(0.5, kept.Margin, 10);
        Assert.Equal(0.4, kept.Difference, 10);
        Assert.InRange(kept.Upper, 0.4, 0.5);

        Assert.Equal(Verdict.Broken, One(Loss, new Stratum(Mean(100_000, 10, 4), Mean(100_000, 10.7, 4))).Verdict);
    }

    [Fact]
    public void What_should_be_high_is_judged_the_other_way_round()
    {
        var accuracy = Loss with { Direction = MetricDirection.HigherIsBetter };
        Assert.Equal(Verdict.Broken, One(accuracy, new Stratum(Mean(50_000, 10, 4), Mean(50_000, 9, 4))).Verdict);
        var kept = One(accuracy, new Stratum(Mean(50_000, 10, 4), Mean(50_000, 9.9, 4)));
        Assert.Equal(Verdict.Kept, kept.Verdict);
        Assert.Equal(-0.5, kept.Margin, 10);
        Assert.True(kept.Lower > kept.Margin);
    }

    [Fact]
    public void Turning_a_metric_over_turns_its_verdict_over_and_nothing_else()
    {
        var random = new Random(8);
        var higher = Loss with { Direction = MetricDirection.HigherIsBetter, Absolute = 0.1, Relative = 0 };
        var lower = higher with { Direction = MetricDirection.LowerIsBetter };
        for (var round = 0; round < 200; round++)
        {
            var (b, c, n) = (random.NextDouble(), random.NextDouble(), 60 + random.Next(4_000));
            var one = One(higher, new Stratum(Mean(n, b, 1), Mean(n, c, 1)));
            var other = One(lower, new Stratum(Mean(n, -b, 1), Mean(n, -c, 1)));
            Assert.Equal(one.Verdict, other.Verdict);
            Assert.Equal(one.PValue, other.PValue, 12);
            Assert.Equal(one.Lower, -other.Upper, 12);
            Assert.Equal(one.MoreNeeded, other.MoreNeeded);
        }
    }

    [Fact]
    public void A_goal_is_reached_by_what_is_better_and_missed_by_what_is_not()
    {
        var goal = new MetricRule("loss", MetricAim.Goal, MetricDirection.LowerIsBetter, 0.1);
        Assert.Equal(Verdict.Kept, One(goal, new Stratum(Mean(20_000, 5, 1), Mean(20_000, 4.7, 1))).Verdict);
        Assert.Equal(Verdict.Broken, One(goal, new Stratum(Mean(20_000, 5, 1), Mean(20_000, 5, 1))).Verdict);
        var open = One(goal, new Stratum(Mean(20_000, 5, 1), Mean(20_000, 4.88, 1)));
        Assert.Equal(Verdict.Inconclusive, open.Verdict);
        Assert.Equal(-0.1, open.Margin, 10);
    }

    [Fact]
    public void Where_no_change_is_allowed_either_direction_breaks()
    {
        var shift = new MetricRule("prediction", MetricAim.Guardrail, MetricDirection.NoChange, 0.2);
        Assert.Equal(Verdict.Broken, One(shift, new Stratum(Mean(20_000, 5, 1), Mean(20_000, 5.4, 1))).Verdict);
        Assert.Equal(Verdict.Broken, One(shift, new Stratum(Mean(20_000, 5, 1), Mean(20_000, 4.6, 1))).Verdict);
        Assert.Equal(Verdict.Kept, One(shift, new Stratum(Mean(20_000, 5, 1), Mean(20_000, 5.1, 1))).Verdict);
    }

    [Fact]
    public void A_limit_asks_nothing_of_the_baseline()
    {
        var limit = new MetricRule("slow", MetricAim.Limit, MetricDirection.LowerIsBetter, 0.01);
        Assert.Equal(Verdict.Kept, One(limit, new Stratum(default, Share(50_000, 200))).Verdict);
        var broken = One(limit, new Stratum(default, Share(50_000, 900)));
        Assert.Equal(Verdict.Broken, broken.Verdict);
        Assert.Equal(0.018, broken.Difference, 10);
        Assert.InRange(broken.Lower, 0.01, 0.018);
    }

    [Fact]
    public void A_ramp_through_a_bad_hour_is_no_fault_of_the_canary()
    {
        // One per cent of the traffic at night, half of it in the morning, when everybody fails five times as often.
        var strata = new[]
        {
            new Stratum(Share(99_000, 990), Share(1_000, 10)),
            new Stratum(Share(50_000, 2_500), Share(50_000, 2_500)),
        };
        Assert.Equal(Verdict.Kept, One(Errors, strata).Verdict);
        // In one pot the canary would have failed twice as often as the baseline.
        Assert.Equal(Verdict.Broken, One(Errors, new Stratum(Share(149_000, 3_490), Share(51_000, 2_510))).Verdict);
    }

    [Fact]
    public void With_an_even_split_the_observations_are_the_requests_and_the_bound_is_formula_H()
    {
        var stratum = new Stratum(Mean(4_000, 3, 2), Mean(4_000, 3.1, 2));
        var contrast = Contrast.Of([stratum], 1, -1, 0);
        Assert.Equal(8_000, contrast.Observations, 9);
        Assert.Equal(Math.Sqrt(2.0 * 4 / 4_000), contrast.StandardError, 4);
        var width = new ConfidenceSequence().OneSidedHalfWidth(8_000, contrast.StandardError);
        var verdict = One(Errors with { Absolute = 5 }, stratum);
        Assert.Equal(0.1 + width, verdict.Upper, 9);
        Assert.Equal(0.1 - width, verdict.Lower, 9);
    }

    [Fact]
    public void More_rules_make_each_of_them_harder_to_break_and_no_harder_to_keep()
    {
        var stratum = new Stratum(Share(3_000, 30), Share(3_000, 108));
        Assert.Equal(Verdict.Broken, One(Errors, stratum).Verdict);
        var among = new RolloutJudge().Judge([.. Enumerable.Range(0, 200).Select(_ => (Errors, (Stratum[])[stratum]))]);
        Assert.All(among, verdict => Assert.Equal(Verdict.Inconclusive, verdict.Verdict));

        var good = new Stratum(Share(20_000, 200), Share(20_000, 200));
        Assert.Equal(Verdict.Kept, new RolloutJudge().Judge([.. Enumerable.Range(0, 200).Select(_ => (Errors, (Stratum[])[good]))])[7].Verdict);
    }

    [Fact]
    public void What_is_said_to_be_needed_decides()
    {
        var random = new Random(11);
        for (var round = 0; round < 100; round++)
        {
            var (b, c, n) = (0.05 + random.NextDouble() / 10, 0.05 + random.NextDouble() / 10, 200 + random.Next(300));
            var verdict = One(Errors, new Stratum(Mean(n, b, 0.3), Mean(n, c, 0.3)));
            if (verdict.Verdict != Verdict.Inconclusive || verdict.MoreNeeded > 1e9) continue;
            var factor = 1 + verdict.MoreNeeded / n;
            var count = (long)Math.Ceiling(n * factor);
            Assert.NotEqual(Verdict.Inconclusive, One(Errors, new Stratum(Mean(count, b, 0.3), Mean(count, c, 0.3))).Verdict);
            var fewer = (long)(n * (1 + verdict.MoreNeeded * 0.95 / n));
            Assert.Equal(Verdict.Inconclusive, One(Errors, new Stratum(Mean(fewer, b, 0.3), Mean(fewer, c, 0.3))).Verdict);
        }
    }

    [Fact]
    public void A_subject_with_many_requests_is_one_piece_of_evidence()
    {
        // A hundred of the canary's thousand requests fail: of a hundred subjects, or all of one subject.
        long[] requests = new long[64], spread = new long[64], heaped = new long[64];
        for (var i = 0; i < 1_000; i++) requests[i % 64]++;
        for (var i = 0; i < 100; i++) spread[i % 64]++;
        requests[5] += 85;
        heaped[5] = 100;
        var baseline = ArmMoments.OfShare([.. Enumerable.Repeat(150L, 64)], [.. Enumerable.Repeat(1L, 64)]);

        Assert.Equal(Verdict.Broken, One(Errors, new Stratum(baseline, ArmMoments.OfShare(requests, spread))).Verdict);
        Assert.Equal(Verdict.Inconclusive, One(Errors, new Stratum(baseline, ArmMoments.OfShare(requests, heaped))).Verdict);
    }

    [Fact]
    public void Of_nothing_nothing_is_said()
    {
        Assert.Empty(new RolloutJudge().Judge([]));
        var verdict = One(Errors);
        Assert.Equal(Verdict.Inconclusive, verdict.Verdict);
        Assert.Equal(50, verdict.MoreNeeded);
        Assert.Equal(1, verdict.PValue);
    }

    private static MetricVerdict One(MetricRule rule, params Stratum[] strata) => new RolloutJudge().Judge([(rule, strata)])[0];

    /// <summary>Spread evenly over 64 slices, as independent requests are.</summary>
    private static ArmMoments Share(long count, long events) => ArmMoments.OfShare(
        [.. Enumerable.Range(0, 64).Select(i => count * (i + 1) / 64 - count * i / 64)],
        [.. Enumerable.Range(0, 64).Select(i => events * (i + 1) / 64 - events * i / 64)]);

    private static ArmMoments Mean(long count, double mean, double deviation)
    {
        var squares = deviation * deviation * count;
        return ArmMoments.OfMean(count, mean, squares, squares);
    }
}
