using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Sequential;

/// <summary>
/// How many observations a question needs. Variances are per observation of both arms together: N·se², so that an estimate
/// from N observations has the standard error √(variance/N).
/// </summary>
public static class SampleSize
{
    private const double Most = 1e15;

    /// <summary>
    /// N·se² of a difference of means where the share <paramref name="share"/> of the observations is in the first arm:
    /// σ₁²/share + σ₂²/(1 − share).
    /// </summary>
    public static double UnitVariance(double first, double second, double share)
    {
        if (!(share > 0 && share < 1))
            throw new ArgumentOutOfRangeException(nameof(share), share, "A share lies between 0 and 1.");
        return first / share + second / (1 - share);
    }

    /// <summary>
    /// Of a test looked at once, at the end: variance·(z₁₋α/₂ + z_power)²/effect², in observations of both arms together.
    /// </summary>
    public static double FixedHorizon(double effect, double unitVariance, double alpha = 0.05, double power = 0.8)
    {
        var z = NormalDistribution.Quantile(1 - alpha / 2) + NormalDistribution.Quantile(power);
        return unitVariance * (z / effect) * (z / effect);
    }

    /// <summary>The least N at which the two-sided interval is at most this far from the estimate; infinite above 10¹⁵.</summary>
    public static double ForHalfWidth(ConfidenceSequence sequence, double halfWidth, double unitVariance) =>
        Least(n => sequence.HalfWidth(n, Math.Sqrt(unitVariance / n)) <= halfWidth);

    /// <summary>As for the two-sided interval, of a bound on one side.</summary>
    public static double ForOneSidedHalfWidth(ConfidenceSequence sequence, double halfWidth, double unitVariance) =>
        Least(n => sequence.OneSidedHalfWidth(n, Math.Sqrt(unitVariance / n)) <= halfWidth);

    /// <summary>
    /// The least N by which the two-sided interval leaves out zero with at least this power, if the effect is what is said:
    /// half width + z_power·se ≤ |effect|. Looks before N only add to the power.
    /// </summary>
    public static double ForEffect(ConfidenceSequence sequence, double effect, double unitVariance, double power = 0.8) =>
        Least(n => Power(sequence, effect, unitVariance, n) >= power);

    /// <summary>
    /// Chance that the two-sided interval at N lies on the effect's side of zero, Φ((|effect| − half width)/se): a lower
    /// bound of the chance that it has by N.
    /// </summary>
    public static double Power(ConfidenceSequence sequence, double effect, double unitVariance, double observations)
    {
        var standardError = Math.Sqrt(unitVariance / observations);
        return NormalDistribution.Cumulative(
            (Math.Abs(effect) - sequence.HalfWidth(observations, standardError)) / standardError);
    }

    /// <summary>
    /// How many times as many observations as now the one-sided half width needs to be at most <paramref name="distance"/>,
    /// at the present variance; at least 1, infinite where it never is within 10¹⁵ observations.
    /// </summary>
    public static double Factor(ConfidenceSequence sequence, double observations, double standardError, double distance)
    {
        if (!(observations > 0))
            return double.PositiveInfinity;
        var needed = ForOneSidedHalfWidth(sequence, distance, observations * standardError * standardError);
        return Math.Max(1, needed / observations);
    }

    /// <summary>Every condition here holds from some N on.</summary>
    private static double Least(Func<double, bool> holds)
    {
        if (holds(1))
            return 1;
        var (below, above) = (1.0, 2.0);
        while (!holds(above))
        {
            if (above > Most)
                return double.PositiveInfinity;
            (below, above) = (above, above * 2);
        }

        while (above - below > Math.Max(1, above * 1e-12))
        {
            var middle = Math.Floor(below + (above - below) / 2);
            if (holds(middle)) above = middle;
            else below = middle;
        }

        return above;
    }
}
