using MlOps.Numerics.Metrics;

namespace MlOps.Numerics.Tests.Metrics;

public class RegressionMetricsTests
{
    [Fact]
    public void Figures_equal_NumPys_at_once_and_in_parts()
    {
        foreach (var sample in Reference.Load<Sample[]>("regression.json"))
        {
            var parts = new RegressionMetrics();
            foreach (var part in sample.Labels.Zip(sample.Predictions).Chunk(7))
                parts.Add(RegressionMetrics.Of(
                    [.. part.Select(pair => pair.First)], [.. part.Select(pair => pair.Second)]));

            foreach (var metrics in new[] { RegressionMetrics.Of(sample.Labels, sample.Predictions), parts })
            {
                Assert.Equal(sample.Labels.Length, metrics.Count);
                Reference.Close(sample.Rmse, metrics.Rmse, 1e-12);
                Reference.Close(sample.Mae, metrics.Mae, 1e-12);
                Reference.Close(sample.MeanError, metrics.MeanError, 1e-12, 1e-12);
                Reference.Close(sample.RSquared ?? double.NaN, metrics.RSquared, 1e-11, 1e-12);
            }
        }
    }

    [Fact]
    public void Without_a_pair_there_are_no_figures()
    {
        var none = new RegressionMetrics();

        Assert.Equal(0, none.Count);
        Assert.True(double.IsNaN(none.Rmse) && double.IsNaN(none.Mae) && double.IsNaN(none.MeanError));
        Assert.True(double.IsNaN(none.RSquared));
    }

    private sealed record Sample(
        double[] Labels, double[] Predictions, double Rmse, double Mae, double MeanError, double? RSquared);
}
