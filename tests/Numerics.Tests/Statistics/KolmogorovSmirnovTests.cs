using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests.Statistics;

public class KolmogorovSmirnovTests
{
    [Fact]
    public void Exact_p_counts_every_ordering()
    {
        // All C(7, 3) = 35 orderings of three and four values without ties, each equally likely.
        var statistics = new List<double>();
        for (var mask = 0; mask < 128; mask++)
            if (int.PopCount(mask) == 3)
                statistics.Add(Test(mask).Statistic);

        for (var mask = 0; mask < 128; mask++)
        {
            if (int.PopCount(mask) != 3)
                continue;
            var result = Test(mask);
            var share = statistics.Count(other => other >= result.Statistic - 1e-12) / (double)statistics.Count;
            Assert.Equal(share, result.PValue, 12);
        }

        static TestResult Test(int mask)
        {
            var places = Enumerable.Range(0, 7).ToLookup(place => (mask >> place & 1) == 1, place => (double)place);
            return KolmogorovSmirnov.TwoSample([.. places[true]], [.. places[false]]);
        }
    }

    [Fact]
    public void Under_no_change_p_is_below_a_level_as_often_as_the_level_says()
    {
        var random = new Random(20260101);
        var below = 0;
        for (var trial = 0; trial < 2_000; trial++)
        {
            var a = Enumerable.Range(0, 60).Select(_ => random.NextDouble()).ToArray();
            var b = Enumerable.Range(0, 47).Select(_ => random.NextDouble()).ToArray();
            if (KolmogorovSmirnov.TwoSample(a, b).PValue <= 0.1)
                below++;
        }

        // At most the level for a discrete law; 2,000 trials have a standard deviation of 13.
        Assert.InRange(below, 120, 240);
    }

    [Fact]
    public void A_sample_without_a_finite_value_is_refused() =>
        Assert.Throws<ArgumentException>(() =>
            KolmogorovSmirnov.TwoSample([1.0], [double.NaN, double.PositiveInfinity]));
}
