using MlOps.Numerics.Bandits;
using MlOps.Numerics.Sequential;

namespace MlOps.Numerics.Experiments;

/// <summary>One arm in a time in which the split did not change: its sums, its share of the subjects, and the subjects of all arms.</summary>
public readonly record struct ArmPeriod(UnitSums Sums, double Propensity, long Subjects);

/// <summary>
/// An arm's mean from a split that followed the results, each unit weighted by one over the chance its arm had of it. Where the
/// split never changed, the weights fall out.
/// </summary>
public static class WeightedSums
{
    /// <summary>
    /// Σx/p over Σn/p (Hájek 1971, for a ratio metric), with its variance, linearised: Σ(x − mean·n)²/p² over (Σn/p)². The
    /// assignment of each unit being drawn anew in every period, the variance holds whatever a subject's periods have in common.
    /// </summary>
    /// <exception cref="ArgumentException">A propensity of a period with units is not in (0, 1].</exception>
    public static ArmMoments Hajek(ReadOnlySpan<ArmPeriod> periods)
    {
        var (units, n, x) = (0L, 0.0, 0.0);
        foreach (var (sums, p, _) in periods)
        {
            if (sums.Units == 0) continue;
            if (!(p > 0 && p <= 1)) throw new ArgumentException("A propensity lies above 0 and is at most 1.", nameof(periods));
            units += sums.Units;
            n += sums.N / p;
            x += sums.X / p;
        }

        if (units == 0) return new ArmMoments(0, 0, 0);
        var (mean, squares) = (x / n, 0.0);
        foreach (var (sums, p, _) in periods)
            if (sums.Units > 0) squares += sums.SquaresAbout(mean) / p / p;
        return new ArmMoments(units, mean, squares / (n * n));
    }

    /// <summary>
    /// Unbiased: Σx/p over the subjects of all arms (Horvitz and Thompson 1952), of a metric that has n = 1 for every subject; with
    /// its standard error. NaN without subjects.
    /// </summary>
    public static (double Estimate, double StandardError) HorvitzThompson(ReadOnlySpan<ArmPeriod> periods)
    {
        var batches = new List<PropensityBatch>(periods.Length);
        foreach (var (sums, p, subjects) in periods)
        {
            // About a centre of 0: a constant is no arm's, and does not fall out of this estimate.
            var squares = sums.Yy + 2 * sums.Centre * sums.Yn + sums.Centre * sums.Centre * sums.Nn;
            if (subjects > 0) batches.Add(new PropensityBatch(subjects, p, sums.Units, sums.X, squares));
        }

        return InversePropensity.HorvitzThompson([.. batches]);
    }

    /// <summary>
    /// The difference of two arms whose shares changed. Its evidence is counted by its variance, as it has to grow in step with
    /// that: N²·se² over what one observation of an even split would add, N being all subjects.
    /// </summary>
    public static Contrast Difference(ReadOnlySpan<ArmPeriod> control, ReadOnlySpan<ArmPeriod> treatment)
    {
        var (c, t) = (Hajek(control), Hajek(treatment));
        if (c.Count < 2 || t.Count < 2) return default;
        var variance = c.MeanVariance + t.MeanVariance;
        var subjects = 0.0;
        foreach (var period in control) subjects += period.Subjects;
        var even = 2 * (OfOne(control, c.Mean) + OfOne(treatment, t.Mean));
        return new Contrast(t.Mean - c.Mean, Math.Sqrt(variance), even > 0 ? subjects * subjects * variance / even : 0);
    }

    /// <summary>Variance of one unit's part in the mean: the mean over units of (x − mean·n)² over the square of the mean n.</summary>
    private static double OfOne(ReadOnlySpan<ArmPeriod> periods, double mean)
    {
        var (units, n, squares) = (0.0, 0.0, 0.0);
        foreach (var (sums, p, _) in periods)
        {
            if (sums.Units == 0) continue;
            units += sums.Units / p;
            n += sums.N / p;
            squares += sums.SquaresAbout(mean) / p;
        }

        return squares / units / (n / units * (n / units));
    }
}
