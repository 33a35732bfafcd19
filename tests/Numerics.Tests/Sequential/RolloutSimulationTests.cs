using MlOps.Numerics.Sequential;
using Xunit.Abstractions;

namespace MlOps.Numerics.Tests.Sequential;

public class RolloutSimulationTests(ITestOutputHelper output)
{
    /// <summary>No slack at all: the null hypothesis at its edge.</summary>
    private static readonly MetricRule[] NoMargins =
        [.. SimulatedRollout.Rules.Select(rule => rule with { Absolute = 0 })];

    [Fact]
    public void Two_thousand_rollouts_of_the_same_model_with_a_look_after_every_batch_stop_falsely_at_most_one_time_in_twenty()
    {
        var (stopped, wouldHave) = (0, 0);
        for (var seed = 0; seed < 2_000; seed++)
        {
            // What a test made for one look says when it is asked a hundred times.
            var isAlarmed = false;
            var rollout = new SimulatedRollout(new Traffic())
            {
                Asked = NoMargins,
                NeverPromotes = true,
                Watch = strata => isAlarmed |= Contrast.Of(strata, 1, -1, 0) is var (d, se, n) && n > 100 && d > 1.645 * se,
            };
            if (rollout.Run(seed).Verdict == Verdict.Broken) stopped++;
            if (isAlarmed) wouldHave++;
        }

        output.WriteLine($"{stopped} of 2,000 stopped; a test of one look at 5 % would have stopped {wouldHave}");
        Assert.InRange(stopped, 0, 100);
        Assert.True(wouldHave > 100, "The simulation is too tame to tell a sequential test from another.");
    }

    [Fact]
    public void Heavy_users_who_fail_more_often_stop_no_more_rollouts()
    {
        var stopped = Enumerable.Range(0, 300).Count(seed =>
            new SimulatedRollout(new Traffic(ErrorRate: 0.05, Subjects: 400)) { Asked = NoMargins, NeverPromotes = true }
                .Run(seed).Verdict == Verdict.Broken);

        output.WriteLine($"{stopped} of 300 stopped");
        Assert.InRange(stopped, 0, 15);
    }

    [Fact]
    public void A_version_as_good_as_the_other_is_kept_and_one_far_worse_never()
    {
        var (same, worse) = (0, 0);
        for (var seed = 0; seed < 200; seed++)
        {
            if (new SimulatedRollout(new Traffic()).Run(seed).Verdict == Verdict.Kept) same++;
            if (new SimulatedRollout(new Traffic(MoreErrors: 0.05)).Run(seed).Verdict == Verdict.Broken) worse++;
        }

        output.WriteLine($"kept {same} of 200 alike, broken {worse} of 200 with 5 % more errors");
        Assert.InRange(same, 180, 200);
        Assert.InRange(worse, 195, 200);
    }

    [Fact]
    public void One_that_breaks_a_margin_is_promoted_at_most_one_time_in_twenty()
    {
        // Just at the margin of errors, where being kept is likeliest.
        var kept = Enumerable.Range(0, 500).Count(seed =>
            new SimulatedRollout(new Traffic(MoreErrors: 0.01)).Run(seed).Verdict == Verdict.Kept);

        output.WriteLine($"{kept} of 500 kept");
        Assert.InRange(kept, 0, 25);
    }
}
