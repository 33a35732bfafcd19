using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests.Statistics;

public class LawTests
{
    [Fact]
    public void Tails_and_quantiles_equal_SciPys()
    {
        foreach (var value in Reference.Load<Value[]>("distributions.json"))
        {
            var p = value.Law switch
            {
                "normal" => NormalDistribution.Survival(value.X),
                "quantile" => NormalDistribution.Quantile(value.X),
                "t" => StudentT.Survival(value.X, value.A),
                _ => IncompleteBeta.Lower(value.A, value.B, value.X),
            };
            Reference.Close(value.P, p, 1e-8, 1e-300, $"{value.Law} {value.A:R} {value.B:R} {value.X:R}");
        }
    }

    [Fact]
    public void A_quantile_is_where_the_tail_is()
    {
        for (var p = 1e-8; p < 1; p += 0.0101)
            Reference.Close(p, NormalDistribution.Cumulative(NormalDistribution.Quantile(p)), 1e-9);
        Assert.Equal(double.NegativeInfinity, NormalDistribution.Quantile(0));
        Assert.Equal(double.PositiveInfinity, NormalDistribution.Quantile(1));
        Assert.Throws<ArgumentOutOfRangeException>(() => NormalDistribution.Quantile(double.NaN));
    }

    private sealed record Value(string Law, double A, double B, double X, double P);
}
