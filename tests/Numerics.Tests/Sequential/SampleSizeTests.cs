using MlOps.Numerics.Sequential;

namespace MlOps.Numerics.Tests.Sequential;

public class SampleSizeTests
{
    private static readonly ConfidenceSequence Sequence = new();

    [Fact]
    public void A_test_of_one_look_needs_what_the_textbooks_say()
    {
        // Cohen 1988, table 2.4.1: d = 0.2, α = 0.05 two-sided, power 0.8: 393 in each of two arms by the normal law.
        Assert.Equal(786, Math.Ceiling(SampleSize.FixedHorizon(0.2, SampleSize.UnitVariance(1, 1, 0.5)) / 2) * 2);
        // d = 0.5, power 0.9: 85 in each (84.06 by the normal law).
        Reference.Close(84.06, SampleSize.FixedHorizon(0.5, 4, power: 0.9) / 2, 1e-3);
    }

    [Fact]
    public void The_size_found_is_the_least_that_does()
    {
        foreach (var halfWidth in new[] { 0.3, 0.05, 0.004 })
        {
            var n = SampleSize.ForHalfWidth(Sequence, halfWidth, 1);
            Assert.True(Sequence.HalfWidth(n, 1 / Math.Sqrt(n)) <= halfWidth);
            Assert.True(Sequence.HalfWidth(n - 1, 1 / Math.Sqrt(n - 1)) > halfWidth);
            var oneSided = SampleSize.ForOneSidedHalfWidth(Sequence, halfWidth, 1);
            Assert.True(oneSided < n);
        }
    }

    [Fact]
    public void Smaller_effects_and_more_power_need_more()
    {
        var n = SampleSize.ForEffect(Sequence, 0.1, 4);
        Assert.True(SampleSize.Power(Sequence, 0.1, 4, n) >= 0.8);
        Assert.True(SampleSize.Power(Sequence, 0.1, 4, n - 1) < 0.8);
        Assert.True(SampleSize.ForEffect(Sequence, 0.05, 4) > 3 * n);
        Assert.True(SampleSize.ForEffect(Sequence, 0.1, 4, power: 0.95) > n);
        Assert.True(n > SampleSize.FixedHorizon(0.1, 4));
        Assert.Equal(double.PositiveInfinity, SampleSize.ForEffect(Sequence, 0, 4));
    }

    [Fact]
    public void The_factor_brings_the_width_down_to_the_distance()
    {
        const double N = 800;
        var se = 1 / Math.Sqrt(N);
        var factor = SampleSize.Factor(Sequence, N, se, 0.03);
        Reference.Close(0.03, Sequence.OneSidedHalfWidth(N * factor, se / Math.Sqrt(factor)), 1e-3);
        Assert.Equal(1, SampleSize.Factor(Sequence, N, se, 5));
        Assert.Equal(double.PositiveInfinity, SampleSize.Factor(Sequence, N, se, 0));
    }

    [Fact]
    public void An_uneven_split_needs_more()
    {
        Assert.Equal(4, SampleSize.UnitVariance(1, 1, 0.5), 12);
        Assert.Equal(1 / 0.01 + 1 / 0.99, SampleSize.UnitVariance(1, 1, 0.01), 12);
        Assert.Throws<ArgumentOutOfRangeException>(() => SampleSize.UnitVariance(1, 1, 1));
    }
}
