using FsCheck;
using FsCheck.Fluent;
using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests.Statistics;

public class DistanceTests
{
    [Fact]
    public void Distances_are_symmetric_bounded_and_zero_only_without_change() =>
        Prop.ForAll<NonEmptyArray<int>, NonEmptyArray<int>>((left, right) =>
        {
            var a = EmpiricalDistribution.FromSamples([.. left.Get.Select(value => (double)(value % 15))]);
            var b = EmpiricalDistribution.FromSamples([.. right.Get.Select(value => (double)(value % 15))]);
            var psi = PopulationStabilityIndex.Numeric(a, b).Value;
            var js = JensenShannon.Numeric(a, b);

            Assert.Equal(psi, PopulationStabilityIndex.Numeric(b, a).Value, 12);
            Assert.Equal(js, JensenShannon.Numeric(b, a), 12);
            Assert.Equal(Wasserstein.Distance(a, b), Wasserstein.Distance(b, a), 12);
            Assert.True(psi >= 0 && js >= 0 && js <= Math.Sqrt(Math.Log(2)) + 1e-12);
            Assert.Equal(0, PopulationStabilityIndex.Numeric(a, a).Value);
            Assert.Equal(0, Wasserstein.Distance(a, a));
        }).QuickCheckThrowOnFailure();

    [Fact]
    public void Shares_of_all_bins_sum_to_one_and_none_is_lost()
    {
        var random = new Random(5);
        var a = EmpiricalDistribution.FromSamples([.. Enumerable.Range(0, 999).Select(_ => random.NextDouble())]);
        var b = EmpiricalDistribution.FromSamples(
            [.. Enumerable.Range(0, 500).Select(_ => 3 * random.NextDouble() - 1)]);

        var bins = PopulationStabilityIndex.Numeric(a, b).Bins;

        Assert.Equal(1, bins.Sum(bin => bin.ReferenceShare), 12);
        Assert.Equal(1, bins.Sum(bin => bin.CurrentShare), 12);
        Assert.Equal(bins.Skip(1).Select(bin => bin.Lower), bins.SkipLast(1).Select(bin => bin.Upper));
    }

    [Fact]
    public void A_category_seen_on_one_side_only_counts_as_a_ten_thousandth()
    {
        var reference = new Dictionary<string, long> { ["ATL"] = 50, ["ORD"] = 50 };
        var current = new Dictionary<string, long> { ["ATL"] = 50, ["DFW"] = 50 };

        var result = PopulationStabilityIndex.Categorical(reference, current);

        Assert.Equal(["ATL", "DFW", "ORD"], result.Bins.Select(bin => bin.Label));
        Assert.Equal(2 * (0.5 - 0.0001) * Math.Log(0.5 / 0.0001), result.Value, 12);
        Assert.Equal(Math.Sqrt(0.5 * Math.Log(2)), JensenShannon.Categorical(reference, current), 12);
    }

    [Fact]
    public void Below_a_ten_thousandth_an_empty_bin_counts_as_a_millionth_of_the_least_share()
    {
        var reference = new Dictionary<string, long> { ["a"] = 99_999, ["b"] = 1 };
        var current = new Dictionary<string, long> { ["a"] = 10, ["c"] = 10 };

        var value = PopulationStabilityIndex.Categorical(reference, current).Value;

        Assert.Equal(
            (0.99999 - 0.5) * Math.Log(0.99999 / 0.5) + (0.00001 - 0.0001) * Math.Log(0.00001 / 0.0001)
                + (0.00001 / 1e6 - 0.5) * Math.Log(0.00001 / 1e6 / 0.5),
            value, 12);
    }

    [Fact]
    public void An_empty_sample_is_refused()
    {
        var one = EmpiricalDistribution.FromSamples([1.0]);

        Assert.Throws<ArgumentException>(() => PopulationStabilityIndex.Numeric(one, EmpiricalDistribution.Empty));
        Assert.Throws<ArgumentException>(() => Wasserstein.Distance(EmpiricalDistribution.Empty, one));
    }
}
