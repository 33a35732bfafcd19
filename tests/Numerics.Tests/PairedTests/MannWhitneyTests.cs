using MlOps.Numerics.PairedTests;
using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests.PairedTests;

public class MannWhitneyTests
{
    [Fact]
    public void Statistic_and_p_equal_SciPys()
    {
        foreach (var sample in Reference.Load<Sample[]>("mann_whitney.json"))
        {
            foreach (var expected in sample.Results)
            {
                var result = MannWhitney.Test(sample.First, sample.Second, expected.Kind);
                var about = $"{sample.Name}, {expected.Alternative}";
                Reference.Close(expected.Statistic, result.Statistic, 1e-12, 0, about);
                Reference.Close(expected.Pvalue, result.PValue, 1e-8, 1e-300, about);
            }
        }
    }

    [Fact]
    public void The_exact_p_is_the_share_of_all_divisions_that_speak_as_loudly()
    {
        double[] first = [1, 4, 7, 8], second = [2, 3, 5, 6, 9, 10];
        var u = first.Sum(a => second.Count(b => b < a));
        var (all, asMuch) = (0, 0);
        for (var chosen = 0; chosen < 1 << 10; chosen++)
        {
            if (int.PopCount(chosen) != 4) continue;
            all++;
            var pairs = 0;
            for (var a = 0; a < 10; a++)
                for (var b = 0; b < a; b++)
                    if ((chosen >> a & 1) == 1 && (chosen >> b & 1) == 0) pairs++;
            if (pairs >= u) asMuch++;
        }

        var result = MannWhitney.Test(first, second, Alternative.Greater);
        Assert.Equal(u, result.Statistic);
        Reference.Close((double)asMuch / all, result.PValue, 1e-12);
    }

    [Fact]
    public void Samples_may_change_places()
    {
        var random = new Random(6);
        for (var round = 0; round < 40; round++)
        {
            double[] one = [.. Enumerable.Range(0, 1 + random.Next(30)).Select(_ => Math.Round(random.NextDouble() * 20))];
            double[] other = [.. Enumerable.Range(0, 1 + random.Next(30)).Select(_ => Math.Round(random.NextDouble() * 20) + 2)];
            var (there, back) = (MannWhitney.Test(one, other), MannWhitney.Test(other, one));
            Reference.Close(one.Length * other.Length, there.Statistic + back.Statistic, 1e-12);
            Reference.Close(there.PValue, back.PValue, 1e-10);
            Reference.Close(
                MannWhitney.Test(one, other, Alternative.Less).PValue, MannWhitney.Test(other, one, Alternative.Greater).PValue,
                1e-10);
        }
    }

    [Fact]
    public void An_empty_sample_is_refused() => Assert.Throws<ArgumentException>(() => MannWhitney.Test([], [1]));

    private sealed record Sample(string Name, double[] First, double[] Second, Sided[] Results);
}
