using MlOps.Numerics.Sequential;

namespace MlOps.Numerics.Tests.Sequential;

public class LatencyBucketsTests
{
    [Fact]
    public void Every_latency_lies_between_the_edges_of_its_bucket()
    {
        var random = new Random(3);
        for (var i = 0; i < 20_000; i++)
        {
            var micros = (long)Math.Exp(random.NextDouble() * Math.Log(2e8));
            var bucket = LatencyBuckets.Of(micros);
            Assert.True(LatencyBuckets.LowerEdge(bucket) <= micros);
            Assert.True(bucket == LatencyBuckets.Count - 1 || micros < LatencyBuckets.LowerEdge(bucket + 1));
        }
    }

    [Fact]
    public void Edges_rise_by_at_most_a_quarter()
    {
        Assert.Equal(64, LatencyBuckets.LowerEdge(1));
        for (var bucket = 2; bucket < LatencyBuckets.Count; bucket++)
        {
            Assert.InRange(LatencyBuckets.LowerEdge(bucket) / (double)LatencyBuckets.LowerEdge(bucket - 1), 1.14, 1.25);
            Assert.Equal(bucket, LatencyBuckets.Of(LatencyBuckets.LowerEdge(bucket)));
            Assert.Equal(bucket - 1, LatencyBuckets.Of(LatencyBuckets.LowerEdge(bucket) - 1));
        }

        Assert.Equal(134_217_728, LatencyBuckets.LowerEdge(LatencyBuckets.Count - 1));
        Assert.Equal(LatencyBuckets.Count - 1, LatencyBuckets.Of(long.MaxValue));
        Assert.Equal(0, LatencyBuckets.Of(-5));
    }

    [Fact]
    public void A_limit_is_rounded_up_to_an_edge()
    {
        Assert.Equal(524_288, LatencyBuckets.LowerEdge(LatencyBuckets.AtOrAbove(500_000)));
        Assert.Equal(524_288, LatencyBuckets.LowerEdge(LatencyBuckets.AtOrAbove(524_288)));
        Assert.Equal(0, LatencyBuckets.AtOrAbove(0));
        Assert.Equal(LatencyBuckets.Count - 1, LatencyBuckets.AtOrAbove(long.MaxValue));
    }

    [Fact]
    public void At_most_the_rest_is_slower_than_a_quantile()
    {
        var random = new Random(4);
        for (var round = 0; round < 200; round++)
        {
            var counts = new long[LatencyBuckets.Count];
            for (var i = 0; i < 1 + random.Next(500); i++) counts[random.Next(LatencyBuckets.Count)]++;
            foreach (var q in new[] { 0.5, 0.9, 0.99 })
            {
                var bucket = LatencyBuckets.Quantile(counts, q);
                var limit = counts.Sum() * (1 - q);
                Assert.True(bucket == LatencyBuckets.Count - 1 || counts.Skip(bucket).Sum() <= limit);
                Assert.True(bucket == 0 || counts.Skip(bucket - 1).Sum() > limit || bucket == LatencyBuckets.Count - 1);
            }
        }

        Assert.Equal(LatencyBuckets.Count - 1, LatencyBuckets.Quantile(new long[LatencyBuckets.Count], 0.99));
    }
}
