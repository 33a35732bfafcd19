using MlOps.Numerics.PairedTests;
using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests.PairedTests;

public class WilcoxonTests
{
    [Fact]
    public void Statistic_and_p_equal_SciPys()
    {
        foreach (var sample in Reference.Load<Sample[]>("wilcoxon.json"))
        {
            foreach (var expected in sample.Results)
            {
                var zeros = expected.Zeros switch { "pratt" => ZeroRule.Pratt, "zsplit" => ZeroRule.Split, _ => ZeroRule.Drop };
                var result = Wilcoxon.SignedRank(sample.Differences, expected.Kind, zeros);
                var about = $"{sample.Name}, {expected.Zeros}, {expected.Alternative}";
                Reference.Close(expected.Statistic, result.Statistic, 1e-12, 0, about);
                Reference.Close(expected.Pvalue, result.PValue, 1e-8, 1e-300, about);
            }
        }
    }

    [Fact]
    public void The_exact_p_is_the_share_of_all_signs_that_speak_as_loudly()
    {
        double[] differences = [1.5, -0.3, 2.2, 0.7, -1.1, 3.0, 0.2, -0.05, 4.1, 1.2];
        double[] ranks = [.. differences.Select(d => (double)differences.Count(o => Math.Abs(o) <= Math.Abs(d)))];
        var above = differences.Zip(ranks, (d, r) => d > 0 ? r : 0).Sum();
        var asMuch = Enumerable.Range(0, 1 << ranks.Length)
            .Count(signs => ranks.Where((_, i) => (signs >> i & 1) == 1).Sum() >= above);

        Reference.Close(
            asMuch / Math.Pow(2, ranks.Length), Wilcoxon.SignedRank(differences, Alternative.Greater).PValue, 1e-12);
    }

    [Fact]
    public void Turned_round_the_alternatives_change_places()
    {
        var random = new Random(5);
        for (var round = 0; round < 50; round++)
        {
            double[] differences = [.. Enumerable.Range(0, 1 + random.Next(90)).Select(_ => Math.Round(random.NextDouble() * 8 - 3))];
            double[] turned = [.. differences.Select(d => -d)];
            Reference.Close(
                Wilcoxon.SignedRank(differences, Alternative.Greater).PValue,
                Wilcoxon.SignedRank(turned, Alternative.Less).PValue, 1e-12);
            Reference.Close(Wilcoxon.SignedRank(differences).PValue, Wilcoxon.SignedRank(turned).PValue, 1e-12);
        }
    }

    [Fact]
    public void Nothing_different_is_no_evidence_and_nothing_at_all_is_refused()
    {
        Assert.Equal(1, Wilcoxon.SignedRank([0.0, 0.0]).PValue);
        Assert.Throws<ArgumentException>(() => Wilcoxon.SignedRank([]));
        Assert.Throws<ArgumentException>(() => Wilcoxon.SignedRank([1, double.NaN]));
    }

    private sealed record Sample(string Name, double[] Differences, Sided[] Results);
}
