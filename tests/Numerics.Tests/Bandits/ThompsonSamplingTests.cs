using MlOps.Numerics.Bandits;
using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Tests.Bandits;

public class ThompsonSamplingTests
{
    [Fact]
    public void Two_rates_as_by_the_sum_of_beta_functions()
    {
        // P(B > A) = Σ_{i<α_B} B(α_A + i, β_A + β_B)/((β_B + i)·B(1 + i, β_B)·B(α_A, β_A)) (Miller 2014).
        foreach (var (sa, fa, sb, fb) in new[] { (3, 7, 5, 5), (40, 60, 55, 45), (200, 800, 180, 820), (0, 0, 0, 0), (2, 0, 0, 5) })
        {
            var (alphaA, betaA, alphaB, betaB) = (sa + 1, fa + 1, sb + 1, fb + 1);
            var expected = Enumerable.Range(0, alphaB).Sum(i => Math.Exp(
                LogBeta(alphaA + i, betaA + betaB) - Math.Log(betaB + i) - LogBeta(1 + i, betaB) - LogBeta(alphaA, betaA)));
            var best = ThompsonSampling.BestRate([sa, sb], [fa, fb]);
            Reference.Close(expected, best[1], 1e-4, 1e-6, $"{sa} {fa} {sb} {fb}");
            Reference.Close(1, best.Sum(), 1e-12);
        }
    }

    [Fact]
    public void Two_means_as_by_the_normal_law()
    {
        foreach (var (apart, one, other) in new[] { (0.0, 1.0, 1.0), (0.5, 0.2, 0.7), (-3.0, 1.0, 0.1), (0.2, 1e-4, 3.0) })
        {
            var expected = NormalDistribution.Cumulative(apart / Math.Sqrt(one * one + other * other));
            Reference.Close(expected, ThompsonSampling.BestMean([apart, 0], [one, other])[0], 1e-4, 1e-6);
        }
    }

    [Fact]
    public void Four_arms_as_by_drawing()
    {
        double[] means = [1.0, 1.2, 0.7, 1.1], errors = [0.3, 0.2, 0.6, 0.05];
        var random = new Random(9);
        var wins = new int[4];
        const int Draws = 400_000;
        for (var draw = 0; draw < Draws; draw++)
        {
            var best = Enumerable.Range(0, 4).MaxBy(i => means[i] + errors[i] * Normal(random));
            wins[best]++;
        }

        var shares = ThompsonSampling.BestMean(means, errors);
        for (var i = 0; i < 4; i++)
            Reference.Close(wins[i] / (double)Draws, shares[i], 0, 0.004);
    }

    [Fact]
    public void Equal_arms_share_and_a_better_one_gets_more()
    {
        Assert.All(ThompsonSampling.BestRate([5, 5, 5], [9, 9, 9]), p => Reference.Close(1 / 3.0, p, 1e-6));
        var last = 0.0;
        for (var successes = 10; successes <= 60; successes += 10)
        {
            var share = ThompsonSampling.BestRate([successes, 30], [100 - successes, 70])[0];
            Assert.True(share > last);
            last = share;
        }
    }

    [Fact]
    public void No_arm_falls_below_the_floor()
    {
        var weights = ThompsonSampling.Weights([0.999, 0.001, 0], 0.05);
        Reference.Close(1, weights.Sum(), 1e-12);
        Assert.All(weights, w => Assert.True(w >= 0.05));
        Assert.Equal([0.25, 0.25, 0.25, 0.25], ThompsonSampling.Weights([1, 0, 0, 0], 0.25));
        Assert.Throws<ArgumentOutOfRangeException>(() => ThompsonSampling.Weights([0.5, 0.5], 0.6));
        Assert.Throws<ArgumentException>(() => ThompsonSampling.BestMean([1], [0]));
        Assert.Throws<ArgumentException>(() => ThompsonSampling.BestRate([-1], [0]));
    }

    private static double LogBeta(double a, double b) => LogFactorial(a - 1) + LogFactorial(b - 1) - LogFactorial(a + b - 1);

    private static double LogFactorial(double n) => Enumerable.Range(1, (int)n).Sum(i => Math.Log(i));

    private static double Normal(Random random) =>
        Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble());
}
