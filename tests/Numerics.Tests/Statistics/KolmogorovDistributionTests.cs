using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests.Statistics;

public class KolmogorovDistributionTests
{
    [Fact]
    public void Survival_equals_SciPy_wherever_another_formula_serves()
    {
        var points = Reference.Load<Point[]>("kolmogorov.json");

        Assert.True(points.Length > 300);
        // 1 − a cumulative probability near 1 keeps absolute digits only.
        foreach (var point in points)
        {
            var survival = KolmogorovDistribution.Survival(point.N, point.D);
            Reference.Close(point.Sf, survival, 1e-10, 2e-13, point.ToString());
        }
    }

    [Theory]
    [InlineData(1)]
    [InlineData(10)]
    [InlineData(140)]
    [InlineData(141)]
    [InlineData(2_000)]
    [InlineData(20_000)]
    public void Survival_falls_from_one_to_zero(long n)
    {
        var before = 1.0;
        for (var step = 0; step <= 200; step++)
        {
            var now = KolmogorovDistribution.Survival(n, step / 200.0);
            Assert.InRange(now, 0, before + 1e-9); // formulas meet within their own error
            before = now;
        }

        Assert.Equal(0, before);
    }

    private sealed record Point(long N, double D, double Sf);
}
