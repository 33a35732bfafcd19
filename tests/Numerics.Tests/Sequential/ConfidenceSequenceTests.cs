using MlOps.Numerics.Sequential;

namespace MlOps.Numerics.Tests.Sequential;

public class ConfidenceSequenceTests
{
    private static readonly ConfidenceSequence Sequence = new();

    [Theory]
    [InlineData(50, 0.05)]
    [InlineData(5_000, 0.05)]
    [InlineData(400_000, 0.05)]
    [InlineData(5_000, 0.001)]
    public void At_the_two_sided_bound_the_mixture_of_likelihood_ratios_is_one_over_alpha(double n, double alpha)
    {
        // Robbins' argument: ∫ exp(λS − λ²N/2) dN(0, ρ²) is a martingale from 1, and reaches 1/α with a chance of α at most.
        var sequence = new ConfidenceSequence(alpha);
        var rho = Math.Sqrt((-2 * Math.Log(alpha) + Math.Log(-2 * Math.Log(alpha) + 1)) / 5_000);
        var sum = n * sequence.HalfWidth(n, 1 / Math.Sqrt(n));
        Reference.Close(1 / alpha, Integral(-12 * rho, 12 * rho, l => Mixed(l, sum, n, rho)), 1e-6);
    }

    [Theory]
    [InlineData(50, 0.05)]
    [InlineData(5_000, 0.05)]
    [InlineData(400_000, 0.025)]
    public void At_the_one_sided_bound_the_mixture_over_positive_effects_is_at_least_one_over_alpha(double n, double alpha)
    {
        var sequence = new ConfidenceSequence(alpha);
        var rho = Math.Sqrt((-2 * Math.Log(2 * alpha) + Math.Log(-2 * Math.Log(2 * alpha) + 1)) / 5_000);
        var sum = n * sequence.OneSidedHalfWidth(n, 1 / Math.Sqrt(n));
        var mixture = Integral(0, 12 * rho, l => 2 * Mixed(l, sum, n, rho));
        Assert.InRange(mixture * alpha, 1, 1.1);
    }

    [Fact]
    public void Worked_by_hand()
    {
        // N = N* = 5,000, σ = 1, α = 0.05: Nρ² = 5.991465 + ln 6.991465 = 7.936169.
        // √(2·8.936169/7.936169·ln(√8.936169/0.05)) = √(2.252011·4.090786) = 3.035187; se = 1/√5,000.
        Reference.Close(3.035187 / Math.Sqrt(5_000), Sequence.HalfWidth(5_000, 1 / Math.Sqrt(5_000)), 1e-5);
    }

    [Fact]
    public void P_is_alpha_just_at_the_edge_of_the_interval()
    {
        foreach (var n in new[] { 60.0, 900, 5_000, 1e6 })
        {
            var se = 3 / Math.Sqrt(n);
            Reference.Close(0.05, Sequence.PValue(n, Sequence.HalfWidth(n, se), se), 1e-9);
            Reference.Close(0.05, Sequence.PValue(n, -Sequence.HalfWidth(n, se), se), 1e-9);
            Reference.Close(0.05, Sequence.OneSidedPValue(n, Sequence.OneSidedHalfWidth(n, se), se), 1e-9);
        }
    }

    [Fact]
    public void Intervals_narrow_with_evidence_and_widen_with_certainty_asked()
    {
        var last = double.PositiveInfinity;
        for (var n = 10.0; n < 1e7; n *= 1.7)
        {
            var width = Sequence.HalfWidth(n, 1 / Math.Sqrt(n));
            Assert.True(width < last);
            // Far below N* its tuning for 2α costs the one-sided bound more than the free side gains.
            Assert.True(n < 1_000 || Sequence.OneSidedHalfWidth(n, 1 / Math.Sqrt(n)) < width);
            Assert.True(new ConfidenceSequence(0.01).HalfWidth(n, 1 / Math.Sqrt(n)) > width);
            Assert.True(width > 1.959964 / Math.Sqrt(n), "Narrower than an interval of one look.");
            last = width;
        }
    }

    [Fact]
    public void Nothing_seen_says_nothing()
    {
        Assert.Equal(double.PositiveInfinity, Sequence.HalfWidth(0, 0));
        Assert.Equal(1, Sequence.PValue(0, 0.5, 0.1));
        Assert.Equal(1, Sequence.PValue(100, 0, 0));
        Assert.Equal(1, Sequence.OneSidedPValue(100, -3, 0.1));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ConfidenceSequence(0.5));
        Assert.Throws<ArgumentOutOfRangeException>(() => new ConfidenceSequence(tunedFor: 0));
    }

    private static double Mixed(double lambda, double sum, double n, double rho) =>
        Math.Exp(lambda * sum - lambda * lambda * n / 2 - lambda * lambda / (2 * rho * rho)) / (rho * Math.Sqrt(2 * Math.PI));

    private static double Integral(double from, double to, Func<double, double> of)
    {
        const int Steps = 200_000;
        var width = (to - from) / Steps;
        return Enumerable.Range(0, Steps).Sum(i => of(from + (i + 0.5) * width)) * width;
    }
}
