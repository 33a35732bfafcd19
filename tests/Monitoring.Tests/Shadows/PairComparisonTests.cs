using MlOps.Monitoring.Shadows;
using MlOps.Numerics.PairedTests;

namespace MlOps.Monitoring.Tests.Shadows;

public sealed class PairComparisonTests
{
    [Fact]
    public void Figures_are_those_of_a_plain_count()
    {
        var random = new Random(5);
        var pairs = Enumerable.Range(0, 500).Select(_ => new ShadowPair(
            random.Next(10) / 10.0, random.Next(10) / 10.0, random.Next(3) == 0 ? double.NaN : random.Next(2), random.Next(900), random.Next(900),
            random.Next(2) == 0, "")).ToArray();

        var figures = PairComparison.Of(pairs, 0.5);

        var labelled = pairs.Where(p => !double.IsNaN(p.Label)).ToArray();
        Assert.Equal((500, pairs.Count(p => p.Live == p.Shadow), labelled.Length), (figures.Pairs, figures.Equal, figures.Labelled));
        Assert.Equal(pairs.Sum(p => p.Shadow - p.Live) / 500, figures.MeanDifference, 1e-12);
        Assert.Equal(pairs.Sum(p => Math.Abs(p.Shadow - p.Live)) / 500, figures.MeanAbsoluteDifference, 1e-12);
        Assert.Equal(pairs.Max(p => Math.Abs(p.Shadow - p.Live)), figures.MaxAbsoluteDifference);
        Assert.Equal(
            (pairs.Count(p => p is { Live: < 0.5, Shadow: >= 0.5 }), pairs.Count(p => p is { Live: >= 0.5, Shadow: < 0.5 })),
            (figures.FlipsUp, figures.FlipsDown));
        Assert.Equal(McNemar.MidP(figures.FlipsUp, figures.FlipsDown).PValue, figures.FlipsPValue);
        Assert.Equal(
            (labelled.Count(p => IsRight(p, p.Live) && !IsRight(p, p.Shadow)), labelled.Count(p => IsRight(p, p.Shadow) && !IsRight(p, p.Live))),
            (figures.OnlyLiveRight, figures.OnlyShadowRight));
        Assert.Equal(labelled.Sum(p => Math.Abs(p.Live - p.Label)) / labelled.Length, figures.LiveError, 1e-12);
        Assert.Equal(labelled.Sum(p => Math.Abs(p.Shadow - p.Label)) / labelled.Length, figures.ShadowError, 1e-12);
        Assert.Equal(
            Wilcoxon.SignedRank([.. labelled.Select(p => Math.Abs(p.Shadow - p.Label) - Math.Abs(p.Live - p.Label))]).PValue, figures.ErrorPValue);

        static bool IsRight(ShadowPair pair, double prediction) => prediction >= 0.5 == pair.Label >= 0.5;
    }

    [Fact]
    public void Without_pairs_nothing_is_known_and_nothing_is_found()
    {
        var figures = PairComparison.Of([], 0.5);
        Assert.Equal((0, 1, 1, 1, 1), (figures.Pairs, figures.DifferencePValue, figures.FlipsPValue, figures.ErrorPValue, figures.RightPValue));
        Assert.True(double.IsNaN(figures.LiveMean) && double.IsNaN(figures.LiveError));
        var latency = PairComparison.LatencyOf([]);
        Assert.Equal((0, 0, 1), (latency.Requests, latency.LiveP99Micros, latency.PValue));
    }

    [Fact]
    public void Of_two_versions_alike_one_look_finds_a_difference_in_one_of_twenty()
    {
        var random = new Random(17);
        var (found, flipped) = (0, 0);
        for (var round = 0; round < 1_000; round++)
        {
            var pairs = Enumerable.Range(0, 100).Select(_ => random.NextDouble())
                .Select(truth => new ShadowPair(truth + random.NextDouble(), truth + random.NextDouble(), truth, 1, 1, true, "")).ToArray();
            var figures = PairComparison.Of(pairs, 1);
            if (figures.DifferencePValue < 0.05) found++;
            if (figures.FlipsPValue < 0.05) flipped++;
        }

        // Four standard deviations of 1,000 coins of 5 %.
        Assert.InRange(found, 22, 78);
        Assert.InRange(flipped, 10, 78);
    }

    [Fact]
    public void Latency_is_of_requests_not_rows()
    {
        var pairs = Enumerable.Range(1, 100).SelectMany(i => new[]
        {
            new ShadowPair(0, 0, double.NaN, i, 2 * i, true, ""), new ShadowPair(0, 0, double.NaN, i, 2 * i, false, ""),
        });
        var latency = PairComparison.LatencyOf(pairs);
        Assert.Equal((100, 50, 99, 100, 198), (latency.Requests, latency.LiveP50Micros, latency.LiveP99Micros, latency.ShadowP50Micros, latency.ShadowP99Micros));
        Assert.True(latency.PValue < 1e-6);
    }

    [Fact]
    public void Segments_are_quartiles_of_numbers_and_the_most_frequent_texts()
    {
        var numbers = Segments.OfNumbers([.. Enumerable.Range(0, 100).Select(i => (double?)i), null, double.NaN]);
        Assert.Equal(
            [("[0, 25)", 25), ("[25, 50)", 25), ("[50, 75)", 25), ("[75, 99]", 25), ("(missing)", 2)],
            numbers.GroupBy(n => n).Select(g => (g.Key, g.Count())));
        Assert.Equal(["7", "7"], Segments.OfNumbers([7, 7]));
        Assert.Equal(["(missing)"], Segments.OfNumbers([null]));

        var texts = Segments.OfTexts([.. Enumerable.Range(0, 60).SelectMany(i => Enumerable.Repeat($"t{i:00}", 60 - i)), null]);
        Assert.Equal(52, texts.Distinct().Count());
        Assert.Equal(Enumerable.Range(50, 10).Sum(i => 60 - i), texts.Count(t => t == Segments.Others));
    }
}
