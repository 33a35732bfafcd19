using FsCheck;
using FsCheck.Fluent;
using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests.Statistics;

public class EmpiricalDistributionTests
{
    [Fact]
    public void Samples_are_counted_and_what_is_not_finite_is_missing()
    {
        var seen = EmpiricalDistribution.FromSamples(
            [2, 1, double.NaN, 2, double.PositiveInfinity, -0.0, 0.0, double.NegativeInfinity]);

        Assert.Equal([0.0, 1, 2], seen.Values);
        Assert.Equal([2L, 1, 2], seen.Counts);
        Assert.Equal(5, seen.Total);
        Assert.Equal(3, seen.Missing);
    }

    [Fact]
    public void Nothing_seen_has_no_figures()
    {
        var empty = EmpiricalDistribution.FromSamples(ReadOnlySpan<double>.Empty);

        Assert.Equal(0, empty.Total);
        Assert.All([empty.Mean, empty.StandardDeviation, empty.Quantile(0.5)], value => Assert.True(double.IsNaN(value)));
    }

    [Fact]
    public void Merging_is_counting_together() => Prop.ForAll<int[], int[]>((left, right) =>
    {
        double[] a = [.. left.Select(value => (double)(value % 7))];
        double[] b = [.. right.Select(value => (double)(value % 7))];
        var merged = EmpiricalDistribution.FromSamples(a).Merge(EmpiricalDistribution.FromSamples(b));
        var together = EmpiricalDistribution.FromSamples([.. a, .. b]);

        Assert.Equal(together.Values, merged.Values);
        Assert.Equal(together.Counts, merged.Counts);
        Assert.Equal(together.Total, merged.Total);
    }).QuickCheckThrowOnFailure();

    [Fact]
    public void A_large_offset_does_not_spoil_the_deviation()
    {
        var far = EmpiricalDistribution.FromSamples([1e9 + 4, 1e9 + 7, 1e9 + 13, 1e9 + 16]);

        Assert.Equal(Math.Sqrt(22.5), far.StandardDeviation, 9);
    }

    [Theory]
    [InlineData(new[] { 1.0, 1.0 }, new[] { 1L, 1L })]
    [InlineData(new[] { 2.0, 1.0 }, new[] { 1L, 1L })]
    [InlineData(new[] { 1.0, double.NaN }, new[] { 1L, 1L })]
    [InlineData(new[] { 1.0, 2.0 }, new[] { 1L, 0L })]
    [InlineData(new[] { 1.0, 2.0 }, new[] { 1L })]
    public void Counts_that_make_no_distribution_are_refused(double[] values, long[] counts) =>
        Assert.Throws<ArgumentException>(() => EmpiricalDistribution.FromCounts(values, counts));
}
