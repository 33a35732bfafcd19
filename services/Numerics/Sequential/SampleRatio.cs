using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Sequential;

/// <summary>
/// Whether the units that reached each arm are as many as the split lets expect. A mismatch means that the arms differ
/// by more than the model, so that no comparison of them can be trusted.
/// </summary>
public static class SampleRatio
{
    /// <summary>The p below which counts are a mismatch, as in GrowthBook.</summary>
    public const double Alarm = 0.001;

    /// <summary>
    /// Weight K of the prior, in units: mismatches of about √(θ(1 − θ)/K) are found soonest, 1.6 points of an even split.
    /// </summary>
    public const double Concentration = 1_000;

    /// <summary>Pearson's chi-square of one look, arms − 1 degrees of freedom. Looking again and again inflates it.</summary>
    /// <param name="counts">Units per arm, none negative.</param>
    /// <param name="weights">Parallel to <paramref name="counts"/>: above 0; they are scaled to sum to 1.</param>
    /// <exception cref="ArgumentException">The two differ in length or are of less than two arms; a weight is not above 0.</exception>
    public static TestResult ChiSquare(ReadOnlySpan<long> counts, ReadOnlySpan<double> weights)
    {
        var (total, scale) = Check(counts, weights);
        if (total == 0)
            return new TestResult(0, 1);
        var sum = new CompensatedSum();
        for (var i = 0; i < counts.Length; i++)
        {
            var expected = total * weights[i] / scale;
            sum.Add((counts[i] - expected) * (counts[i] - expected) / expected);
        }

        return new TestResult(sum.Value, IncompleteGamma.Upper((counts.Length - 1) / 2.0, sum.Value / 2));
    }

    /// <summary>
    /// Always-valid p: the chance that it is ever at most a is at most a, however often one looks. The least of all looks
    /// so far may be kept. It is one over the Bayes factor of a Dirichlet prior about the weights θ against θ itself,
    /// Γ(K)/Γ(K + n)·Π Γ(Kθᵢ + xᵢ)/Γ(Kθᵢ)/θᵢ^xᵢ (Lindon and Malek 2022, "Anytime-valid inference for multinomial count
    /// data").
    /// </summary>
    /// <inheritdoc cref="ChiSquare"/>
    public static double SequentialPValue(
        ReadOnlySpan<long> counts, ReadOnlySpan<double> weights, double concentration = Concentration)
    {
        if (!(concentration > 0 && double.IsFinite(concentration)))
            throw new ArgumentOutOfRangeException(nameof(concentration), concentration, "The concentration is above 0.");
        var (total, scale) = Check(counts, weights);
        var sum = new CompensatedSum();
        sum.Add(-Growth(concentration, total));
        for (var i = 0; i < counts.Length; i++)
        {
            var share = weights[i] / scale;
            sum.Add(Growth(concentration * share, counts[i]));
            sum.Add(-counts[i] * Math.Log(share));
        }

        return Math.Min(1, Math.Exp(-sum.Value));
    }

    /// <summary>ln Γ(a + n) − ln Γ(a).</summary>
    private static double Growth(double a, double n) => IncompleteGamma.LogGamma(a + n) - IncompleteGamma.LogGamma(a);

    private static (double Total, double Scale) Check(ReadOnlySpan<long> counts, ReadOnlySpan<double> weights)
    {
        if (counts.Length < 2 || counts.Length != weights.Length)
            throw new ArgumentException("At least two arms, each with a count and a weight.", nameof(counts));
        var (total, scale) = (0.0, 0.0);
        for (var i = 0; i < counts.Length; i++)
        {
            ArgumentOutOfRangeException.ThrowIfNegative(counts[i]);
            if (!(weights[i] > 0 && double.IsFinite(weights[i])))
                throw new ArgumentException("Every weight is above 0.", nameof(weights));
            total += counts[i];
            scale += weights[i];
        }

        return (total, scale);
    }
}
