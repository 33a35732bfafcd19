using FsCheck;
using FsCheck.Fluent;
using MlOps.Numerics.Assignment;
using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests.Assignment;

public class SplitRuleTests
{
    private static readonly string[] Keys = [.. Enumerable.Range(0, 100_000).Select(i => $"user-{i}")];

    [Fact]
    public void Every_vector_of_the_independent_implementation_is_met()
    {
        var vectors = Reference.Load<Vectors>("assignment.json");
        var rules = vectors.Rules.Select(r => new SplitRule(
            r.Salt, r.Weights, r.Coverage, r.Layer is { } l ? new LayerRange(l.Name, l.Start, l.End) : null,
            r.Holdout is { } h ? new Holdout(h.Salt, h.Share) : null)).ToArray();

        Assert.True(vectors.Cases.Length > 1000);
        foreach (var (rule, subject, bucket, arm, reason) in vectors.Cases)
        {
            Assert.Equal(bucket, SubjectHash.Bucket(vectors.Rules[rule].Salt, subject));
            Assert.Equal((subject, arm, reason), (subject, rules[rule].Place(subject).Arm, rules[rule].Place(subject).Reason.ToString()));
        }

        Assert.Equal(["Assigned", "HeldOut", "Outside"], vectors.Cases.Select(c => c.Reason).Distinct().Order(StringComparer.Ordinal));
    }

    /// <summary>The bucket ranges GrowthBook publishes for its SDKs (cases.json, "getBucketRange").</summary>
    [Theory]
    [InlineData(1.0, new[] { 0.5, 0.5 }, new[] { 0, 0.5, 0.5, 1.0 })]
    [InlineData(0.5, new[] { 0.5, 0.5 }, new[] { 0, 0.25, 0.5, 0.75 })]
    [InlineData(0.0, new[] { 0.5, 0.5 }, new[] { 0, 0, 0.5, 0.5 })]
    [InlineData(1.0, new[] { 0.4, 0.4, 0.1, 0.1 }, new[] { 0, 0.4, 0.4, 0.8, 0.8, 0.9, 0.9, 1.0 })]
    [InlineData(0.5, new[] { 0.4, 0.4, 0.1, 0.1 }, new[] { 0, 0.2, 0.4, 0.6, 0.8, 0.85, 0.9, 0.95 })]
    public void Ranges_are_GrowthBooks(double coverage, double[] weights, double[] ranges)
    {
        for (var step = 0; step < 10_000; step++)
        {
            var n = step / 10_000.0;
            var expected = Enumerable.Range(0, weights.Length).FirstOrDefault(i => n >= ranges[2 * i] && n < ranges[2 * i + 1], -1);
            // Where an end is the sum of weights it may lie one step off its decimal.
            if (!ranges.Any(end => Math.Abs(end - n) < 1e-9)) Assert.Equal(expected, ArmRanges.Choose(weights, coverage, n));
        }
    }

    [Theory]
    [InlineData(new[] { 0.9, 0.1 })]
    [InlineData(new[] { 0.5, 0.5 })]
    [InlineData(new[] { 0.6, 0.3, 0.07, 0.03 })]
    [InlineData(new[] { 0.05, 0.05, 0.05, 0.05, 0.8 })]
    public void A_hundred_thousand_keys_fall_as_the_weights_say(double[] weights)
    {
        foreach (var salt in new[] { "flights", "2025-03", "a" })
        {
            var counts = new double[weights.Length];
            var rule = new SplitRule(salt, weights);
            foreach (var key in Keys) counts[rule.Place(key).Arm]++;

            // Keys and salts are fixed, so this is no lottery: the threshold says what a fair hash would meet 999 times in 1,000.
            var statistic = counts.Select((c, i) => (c - Keys.Length * weights[i]) * (c - Keys.Length * weights[i]) / (Keys.Length * weights[i])).Sum();
            Assert.InRange(Tail(statistic, weights.Length - 1), 0.001, 1);
        }
    }

    [Fact]
    public void Five_ten_and_25_percent_are_a_ramp_that_only_adds()
    {
        HashSet<string> before = [];
        foreach (var coverage in new[] { 0.05, 0.10, 0.25 })
        {
            var rule = new SplitRule("ramp", [0.0, 1.0], coverage);
            HashSet<string> now = [.. Keys.Where(k => rule.Place(k) is { Arm: 1, Reason: PlacementReason.Assigned })];
            Assert.Subset(now, before);
            // Four standard deviations of the binomial.
            Assert.InRange(now.Count, Keys.Length * coverage - 4 * Deviation(coverage), Keys.Length * coverage + 4 * Deviation(coverage));
            before = now;
        }

        static double Deviation(double share) => Math.Sqrt(100_000 * share * (1 - share));
    }

    [Fact]
    public void Experiments_in_parts_of_a_layer_that_do_not_overlap_share_no_subject()
    {
        var first = new SplitRule("one", [0.5, 0.5], 1, new LayerRange("ranking", 0, 0.3));
        var second = new SplitRule("two", [0.5, 0.5], 1, new LayerRange("ranking", 0.3, 0.7));
        int inFirst = 0, inSecond = 0;
        foreach (var key in Keys)
        {
            var (one, two) = (first.Place(key).Reason == PlacementReason.Assigned, second.Place(key).Reason == PlacementReason.Assigned);
            Assert.False(one && two);
            if (one) inFirst++;
            if (two) inSecond++;
        }

        Assert.InRange(inFirst, 29_400, 30_600);
        Assert.InRange(inSecond, 39_400, 40_600);
    }

    [Fact]
    public void The_place_in_a_layer_says_nothing_of_the_arm()
    {
        // Even where layer and salt have the same name.
        var layer = new LayerRange("same", 0, 0.5);
        var rule = new SplitRule("same", [0.5, 0.5]);
        var cells = new double[2, 2];
        foreach (var key in Keys) cells[layer.Has(key) ? 1 : 0, rule.Place(key).Arm]++;
        var statistic = cells.Cast<double>().Sum(c => (c - 25_000) * (c - 25_000) / 25_000);
        Assert.InRange(Tail(statistic, 3), 0.001, 1);
    }

    [Fact]
    public void Who_is_held_out_is_so_from_every_experiment_and_stays_so_as_the_share_grows()
    {
        var rules = new[] { "one", "two" }.Select(salt => new SplitRule(salt, [0.5, 0.5], 1, null, new Holdout("h", 0.05))).ToArray();
        HashSet<string> held = [.. Keys.Where(k => rules[0].Place(k).Reason == PlacementReason.HeldOut)];
        Assert.Equal(Keys.Where(held.Contains), Keys.Where(k => rules[1].Place(k) is { Arm: 0, Reason: PlacementReason.HeldOut }));
        Assert.InRange(held.Count, 4_700, 5_300);
        var more = new Holdout("h", 0.06);
        Assert.All(held, k => Assert.True(more.Has(k)));
    }

    [Fact]
    public void Whoever_has_an_arm_keeps_it_when_the_coverage_grows() =>
        Prop.ForAll<NonEmptyArray<byte>, NonNull<string>, byte>((raw, subject, percent) =>
        {
            var sum = Math.Max(1.0, raw.Get.Sum(value => (double)value));
            double[] weights = [.. raw.Get.Select(value => value / sum)];
            var before = new SplitRule("ramp", weights, percent / 255.0).Place(subject.Get);
            var after = new SplitRule("ramp", weights, Math.Min(1, percent / 255.0 + 0.1)).Place(subject.Get);
            if (before.Reason == PlacementReason.Assigned) Assert.Equal(before, after);
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Placing_allocates_nothing()
    {
        var rule = new SplitRule("s", [0.5, 0.5], 0.5, new LayerRange("l", 0, 0.5), new Holdout("h", 0.1));
        rule.Place("warm");
        var before = GC.GetAllocatedBytesForCurrentThread();
        for (var i = 0; i < 1_000; i++) rule.Place(Keys[i]);
        Assert.Equal(before, GC.GetAllocatedBytesForCurrentThread());
    }

    /// <summary>Chance that chi-square with so many degrees of freedom exceeds the statistic.</summary>
    private static double Tail(double statistic, int degrees) => IncompleteGamma.Upper(degrees / 2.0, statistic / 2);

    internal sealed record Vectors(VectorRule[] Rules, Vector[] Cases);

    internal sealed record VectorRule(string Salt, double[] Weights, double Coverage, VectorLayer? Layer, VectorHoldout? Holdout);

    internal sealed record VectorLayer(string Name, double Start, double End);

    internal sealed record VectorHoldout(string Salt, double Share);

    internal sealed record Vector(int Rule, string Subject, double Bucket, int Arm, string Reason);
}
