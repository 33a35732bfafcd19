using MlOps.Gateway.Experiments.Readouts;
using MlOps.Numerics.Bandits;
using MlOps.Numerics.Sequential;

namespace MlOps.Gateway.Experiments.Bandit;

/// <summary>The weights that Thompson's rule gives the arms by what is known of them; no clock and no I/O.</summary>
internal static class NextWeights
{
    /// <summary>The hash of a subject has so many places: a finer weight would not be the chance of its arm.</summary>
    private const int Places = 10_000;

    /// <summary>A smaller change is not worth assigning everybody anew.</summary>
    private const double Least = 0.01;

    /// <summary>
    /// In the order of the arms, with a sum of 1; those in force where an arm has too few subjects to be judged by, or nothing much
    /// would change.
    /// </summary>
    public static IReadOnlyList<double> Of(Experiment experiment, ExperimentEvidence evidence)
    {
        var (plan, inForce) = (experiment.Plan, experiment.Periods[^1].Weights);
        var arms = new ArmEvidence(plan, experiment.Periods, evidence.Cells);
        ArmMoments[] moments = [.. plan.Arms.Select((_, i) => arms.Moments(i, metric: 0))];
        if (plan.Thompson is not { } thompson || moments.Any(m => m.Count < RolloutJudge.LeastObservations)) return inForce;

        var sign = plan.Primary.Direction == "higher" ? 1 : -1;
        // Arms that never differed within themselves are told apart by their means alone.
        double[] errors = [.. moments.Select(m => Math.Max(Math.Sqrt(m.MeanVariance), 1e-9 * (1 + Math.Abs(m.Mean))))];
        var best = ThompsonSampling.BestMean([.. moments.Select(m => sign * m.Mean)], errors);
        var wanted = Rounded(ThompsonSampling.Weights(best, thompson.Floor));
        return wanted.Zip(inForce, (w, f) => Math.Abs(w - f)).Max() < Least ? inForce : wanted;
    }

    // What rounding leaves over goes to the largest, so that no floor is undercut.
    private static double[] Rounded(double[] weights)
    {
        int[] places = [.. weights.Select(w => (int)Math.Floor(w * Places + 1e-9))];
        places[places.IndexOf(places.Max())] += Places - places.Sum();
        return [.. places.Select(p => p / (double)Places)];
    }
}
