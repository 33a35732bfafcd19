namespace MlOps.Numerics.Sequential;

/// <summary>
/// An estimate of kc·canary + kb·baseline − offset with its standard error, and the number of observations it is worth: as
/// many as an even split would need for it.
/// </summary>
public readonly record struct Contrast(double Estimate, double StandardError, double Observations)
{
    /// <summary>
    /// Strata are weighted by n_c·n_b/(n_c + n_b), as Mantel and Haenszel (1959) do: the weights depend on counts alone, so
    /// that what was seen cannot bend them, and 4·Σ of them is the observations (n_c + n_b where the arms are equal). The
    /// evidence then grows in step with the observations, as the confidence sequence asks, through any ramp. Where kb is 0
    /// the canary stands alone, and its counts are weights and observations.
    /// </summary>
    public static Contrast Of(ReadOnlySpan<Stratum> strata, double kc, double kb, double offset)
    {
        var (sum, variance, weights) = (0.0, 0.0, 0.0);
        foreach (var (b, c) in strata)
        {
            var weight = WeightOf(b, c, kb == 0);
            weights += weight;
            sum += weight * (kc * c.Mean + kb * b.Mean - offset);
            variance += weight * weight * (kc * kc * c.MeanVariance + kb * kb * b.MeanVariance);
        }

        return weights > 0
            ? new Contrast(sum / weights, Math.Sqrt(variance) / weights, (kb == 0 ? 1 : 4) * weights)
            : default;
    }

    internal static double WeightOf(ArmMoments baseline, ArmMoments canary, bool isCanaryAlone) =>
        isCanaryAlone ? canary.Count
            : canary.Count + baseline.Count > 0 ? canary.Count * baseline.Count / (canary.Count + baseline.Count)
            : 0;
}
