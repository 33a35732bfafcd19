using MlOps.Gateway.Splits;

namespace MlOps.Gateway.Tests.Splits;

public sealed class SplitTests
{
    private static readonly string[] Subjects = [.. Enumerable.Range(0, 10_000).Select(i => $"subject-{i}")];

    [Fact]
    public void Ten_thousand_subjects_fall_90_to_10_within_binomial_bounds()
    {
        var challengers = ChallengersAt(1).Count;

        // Mean 1,000, standard deviation 30; four of them. Hash and salt are fixed, so the count is too.
        Assert.InRange(challengers, 880, 1120);
        Assert.Equal(challengers, ChallengersAt(1).Count);
    }

    [Fact]
    public void Raising_the_coverage_moves_nobody_who_is_in()
    {
        HashSet<string> before = [];
        foreach (var coverage in new[] { 0, 0.05, 0.10, 0.25, 0.5, 1 })
        {
            var now = ChallengersAt(coverage);
            Assert.Subset(now, before);
            before = now;
        }

        Assert.NotEmpty(before);
    }

    [Fact]
    public void Without_coverage_everybody_gets_the_first_arm() => Assert.Empty(ChallengersAt(0));

    [Fact]
    public void A_request_without_a_subject_gets_a_place_of_its_own_every_time()
    {
        var split = SplitAt(1);
        var variants = Enumerable.Range(0, 2000).Select(_ => split.Choose(null).Arm.Variant.ToString()).Distinct();
        // Missing one of them in 2,000 draws at 10 % has a chance of 10 to the -91.
        Assert.Equal(["challenger", "champion"], variants.Order());
    }

    private static HashSet<string> ChallengersAt(double coverage)
    {
        var split = SplitAt(coverage);
        return [.. Subjects.Where(s => split.Choose(s).Arm.Variant == "challenger")];
    }

    private static Split SplitAt(double coverage) => new(
        new TrafficPolicy(
            "m", [new PolicyArm("champion", "1", 0.9), new PolicyArm("challenger", "2", 0.1)], "flights", coverage,
            TrafficPolicy.DefaultSubjectHeader, 1, default),
        new AssignmentCounts());
}
