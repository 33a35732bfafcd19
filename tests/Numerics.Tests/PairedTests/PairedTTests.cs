using MlOps.Numerics.PairedTests;

namespace MlOps.Numerics.Tests.PairedTests;

public class PairedTTests
{
    [Fact]
    public void Statistic_and_p_equal_SciPys()
    {
        foreach (var sample in Reference.Load<Sample[]>("paired_t.json"))
        {
            foreach (var expected in sample.Results)
            {
                var result = PairedT.Test(sample.Differences, expected.Kind);
                Reference.Close(expected.Statistic, result.Statistic, 1e-10);
                Reference.Close(expected.Pvalue, result.PValue, 1e-8);
            }
        }
    }

    [Fact]
    public void Students_own_sleep_data()
    {
        // "The probable error of a mean" (1908): extra hours of sleep by two drugs, the same ten patients.
        double[] differences = [1.2, 2.4, 1.3, 1.3, 0, 1.0, 1.8, 0.8, 4.6, 1.4];
        var result = PairedT.Test(differences);
        Reference.Close(4.0621, result.Statistic, 0, 5e-5);
        Reference.Close(0.002833, result.PValue, 0, 5e-7);
    }

    [Fact]
    public void Differences_that_are_all_equal_are_certain_or_nothing()
    {
        Assert.Equal(1, PairedT.Test([0.0, 0.0, 0.0]).PValue);
        Assert.Equal(0, PairedT.Test([2.0, 2.0, 2.0]).PValue);
        Assert.Throws<ArgumentException>(() => PairedT.Test([1.0]));
    }

    private sealed record Sample(double[] Differences, Sided[] Results);
}
