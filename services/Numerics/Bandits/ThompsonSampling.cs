using MlOps.Numerics.Statistics;

namespace MlOps.Numerics.Bandits;

/// <summary>
/// Thompson's rule (1933): each arm gets the share of traffic that is the probability of its being the best. Computed by
/// integration over the posteriors instead of drawn, so that the same evidence always gives the same split.
/// </summary>
public static class ThompsonSampling
{
    private const int Steps = 2_000;

    /// <summary>
    /// Probability of each arm that its rate is the highest, from successes and failures with a Beta(1, 1) prior each.
    /// </summary>
    /// <param name="successes">Per arm, not negative.</param>
    /// <param name="failures">Parallel to <paramref name="successes"/>, not negative.</param>
    public static double[] BestRate(ReadOnlySpan<double> successes, ReadOnlySpan<double> failures)
    {
        RequireArms(successes.Length, failures.Length);
        var posteriors = new (double A, double B)[successes.Length];
        for (var i = 0; i < posteriors.Length; i++)
        {
            if (!(successes[i] >= 0 && failures[i] >= 0 && double.IsFinite(successes[i] + failures[i])))
                throw new ArgumentException("Successes and failures are not negative.", nameof(successes));
            posteriors[i] = (successes[i] + 1, failures[i] + 1);
        }

        // Ten deviations of each on either side hold all of the chance that a double tells of.
        var edges = posteriors.Select(p => (Mean: p.A / (p.A + p.B), Reach: 10 * Math.Sqrt(p.A * p.B / (p.A + p.B + 1)) / (p.A + p.B)));
        return Best(
            [.. edges.Select(e => Math.Clamp(e.Mean - e.Reach, 0, 1))], [.. edges.Select(e => Math.Clamp(e.Mean + e.Reach, 0, 1))],
            (arm, x) => IncompleteBeta.Lower(posteriors[arm].A, posteriors[arm].B, x));
    }

    /// <summary>
    /// Probability of each arm that its mean is the highest, each mean being normal about its estimate: a flat prior and
    /// known variance, right for arms with some tens of observations.
    /// </summary>
    /// <param name="means">Estimates, finite.</param>
    /// <param name="standardErrors">Parallel to <paramref name="means"/>, above 0.</param>
    public static double[] BestMean(ReadOnlySpan<double> means, ReadOnlySpan<double> standardErrors)
    {
        RequireArms(means.Length, standardErrors.Length);
        double[] centres = [.. means], errors = [.. standardErrors];
        if (centres.Any(m => !double.IsFinite(m)) || errors.Any(e => !(e > 0 && double.IsFinite(e))))
            throw new ArgumentException("Means are finite and standard errors above 0.", nameof(standardErrors));
        return Best(
            [.. centres.Zip(errors, (m, e) => m - 9 * e)], [.. centres.Zip(errors, (m, e) => m + 9 * e)],
            (arm, x) => NormalDistribution.Cumulative((x - centres[arm]) / errors[arm]));
    }

    /// <summary>
    /// Weights from the probabilities with at least <paramref name="floor"/> for every arm, so that each goes on being observed
    /// and its estimate stays unbiased: floor + (1 − arms·floor)·probability.
    /// </summary>
    /// <param name="probabilities">Of being the best, with a sum of 1.</param>
    /// <param name="floor">From 0 up to 1 over the number of arms.</param>
    public static double[] Weights(ReadOnlySpan<double> probabilities, double floor)
    {
        if (!(floor >= 0 && floor * probabilities.Length <= 1))
            throw new ArgumentOutOfRangeException(nameof(floor), floor, "The floor lies in 0 to 1 over the number of arms.");
        var weights = new double[probabilities.Length];
        for (var i = 0; i < weights.Length; i++)
            weights[i] = floor + (1 - weights.Length * floor) * probabilities[i];
        return weights;
    }

    private static void RequireArms(int one, int other)
    {
        if (one == 0 || one != other)
            throw new ArgumentException("At least one arm, each with both figures.");
    }

    /// <summary>
    /// P(arm i is best) = ∫ Π_{j≠i} Fⱼ dFᵢ by the trapezoid rule over Fᵢ. The points are those of all arms together, so that
    /// a narrow posterior is resolved beside a wide one.
    /// </summary>
    private static double[] Best(double[] lows, double[] highs, Func<int, double, double> cumulative)
    {
        double[] points =
        [
            .. lows.SelectMany((low, i) => Enumerable.Range(0, Steps + 1).Select(s => low + (highs[i] - low) * s / Steps))
                .Distinct().Order(),
        ];
        var arms = lows.Length;
        var (before, now) = (new double[arms], new double[arms]);
        var best = new double[arms];
        for (var p = 0; p < points.Length; p++)
        {
            for (var arm = 0; arm < arms; arm++)
                now[arm] = cumulative(arm, points[p]);
            for (var arm = 0; p > 0 && arm < arms; arm++)
            {
                var (here, there) = (1.0, 1.0);
                for (var other = 0; other < arms; other++)
                {
                    if (other == arm) continue;
                    here *= now[other];
                    there *= before[other];
                }

                best[arm] += (now[arm] - before[arm]) * (here + there) / 2;
            }

            (before, now) = (now, before);
        }

        var sum = best.Sum();
        return [.. best.Select(b => b / sum)];
    }
}
