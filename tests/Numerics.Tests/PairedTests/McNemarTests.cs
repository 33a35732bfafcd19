using MlOps.Numerics.PairedTests;

namespace MlOps.Numerics.Tests.PairedTests;

public class McNemarTests
{
    [Fact]
    public void Every_form_equals_SciPys_laws()
    {
        foreach (var pair in Reference.Load<Pair[]>("mc_nemar.json"))
        {
            var about = $"{pair.First} {pair.Second}";
            Reference.Close(pair.Exact, McNemar.Exact(pair.First, pair.Second).PValue, 1e-9, 1e-300, about);
            Reference.Close(pair.Mid, McNemar.MidP(pair.First, pair.Second).PValue, 1e-9, 1e-300, about);
            Reference.Close(pair.Plain, McNemar.ChiSquare(pair.First, pair.Second, isCorrected: false).PValue, 1e-9, 0, about);
            Reference.Close(pair.Corrected, McNemar.ChiSquare(pair.First, pair.Second).PValue, 1e-9, 0, about);
        }
    }

    [Fact]
    public void The_exact_p_counts_the_coin_tosses_at_least_as_uneven()
    {
        for (var total = 1; total <= 12; total++)
        {
            for (var first = 0; first <= total; first++)
            {
                var atLeast = 0;
                for (var tosses = 0; tosses < 1 << total; tosses++)
                {
                    var heads = int.PopCount(tosses);
                    if (Math.Abs(2 * heads - total) >= Math.Abs(2 * first - total)) atLeast++;
                }

                Reference.Close(atLeast / Math.Pow(2, total), McNemar.Exact(first, total - first).PValue, 1e-12);
            }
        }
    }

    [Fact]
    public void The_classic_case_of_Fagerland_Lydersen_and_Laake()
    {
        // Table 1 of "The McNemar test for binary matched-pairs data" (2013): 1 against 7 discordant pairs.
        Reference.Close(0.0703, McNemar.Exact(1, 7).PValue, 0, 5e-5);
        Reference.Close(0.0391, McNemar.MidP(1, 7).PValue, 0, 5e-5);
        Reference.Close(0.0339, McNemar.ChiSquare(1, 7, isCorrected: false).PValue, 0, 5e-5);
    }

    [Fact]
    public void Order_does_not_matter_and_imbalance_lowers_p()
    {
        var last = 2.0;
        for (var more = 20; more <= 40; more++)
        {
            var result = McNemar.MidP(more, 40 - more);
            Assert.Equal(result, McNemar.MidP(40 - more, more));
            Assert.True(result.PValue < last);
            last = result.PValue;
        }

        Assert.Throws<ArgumentOutOfRangeException>(() => McNemar.Exact(-1, 2));
    }

    private sealed record Pair(long First, long Second, double Exact, double Mid, double Plain, double Corrected);
}
