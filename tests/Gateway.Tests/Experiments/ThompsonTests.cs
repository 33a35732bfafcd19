using MlOps.Gateway.Experiments;
using MlOps.Gateway.Experiments.Bandit;
using MlOps.Gateway.Experiments.Readouts;

namespace MlOps.Gateway.Tests.Experiments;

/// <summary>Weights that follow the results, period by period; all seeds are fixed.</summary>
public sealed class ThompsonTests
{
    private static readonly ExperimentPlan Plan = SimulatedExperiment.PlanOf() with { Thompson = new ThompsonPlan(3_600, 0.1) };

    [Fact]
    public void Weights_stay_until_every_arm_can_be_judged_then_go_to_the_better_one_and_keep_the_floor()
    {
        var experiment = new SimulatedExperiment(1, [0.1, 0.4, 0.1], plan: Plan);
        experiment.Meet(60);
        Assert.Equal(experiment.Experiment.Periods[^1].Weights, Next(experiment));
        experiment.Meet(2_000);
        Assert.Equal([0.1, 0.8, 0.1], Next(experiment));
    }

    [Fact]
    public void A_weight_is_a_whole_number_of_places_and_all_sum_to_one()
    {
        for (var seed = 0; seed < 50; seed++)
        {
            var experiment = new SimulatedExperiment(seed, [0.2, 0.21, 0.2], plan: Plan);
            experiment.Meet(900);
            var weights = Next(experiment);
            Assert.Equal(1, weights.Sum(), 1e-12);
            Assert.All(weights, w => Assert.True(w >= 0.1 - 1e-12, $"{w:R}"));
            if (weights.SequenceEqual(experiment.Experiment.Periods[^1].Weights)) continue;
            Assert.All(weights, w => Assert.Equal(Math.Round(w * 10_000), w * 10_000, 1e-6));
        }
    }

    [Fact]
    public void Lower_can_be_better()
    {
        var experiment = new SimulatedExperiment(2, [0.4, 0.1], plan: Plan with { Primary = Plan.Primary with { Direction = "lower" } });
        experiment.Meet(2_000);
        Assert.Equal([0.1, 0.9], Next(experiment));
    }

    [Fact]
    public void A_plain_mean_is_biased_by_such_a_split_and_the_weighted_ones_are_not()
    {
        const int Runs = 1_500;
        const double Rate = 0.3;
        var (plain, unbiased, hajek) = (new double[Runs], new double[Runs], new double[Runs]);
        for (var seed = 0; seed < Runs; seed++)
        {
            var experiment = Run(seed, [Rate, Rate], periods: 8, subjects: 120);
            var arm = experiment.Read().Primary.Arms[1];
            (plain[seed], unbiased[seed], hajek[seed]) = (experiment.PlainMean(1), arm.Unbiased ?? double.NaN, arm.Mean ?? double.NaN);
        }

        Assert.True(Distance(plain) < -4, $"{Distance(plain):R} standard errors: no bias to undo");
        Assert.InRange(Distance(unbiased), -3.5, 3.5);
        // Its bias vanishes as one over the number of subjects.
        Assert.True(Math.Abs(hajek.Average() - Rate) < 0.3 * Math.Abs(plain.Average() - Rate), $"{hajek.Average():R}, {plain.Average():R}");

        static double Distance(double[] estimates)
        {
            var mean = estimates.Average();
            return (mean - Rate) / Math.Sqrt(estimates.Sum(e => (e - mean) * (e - mean)) / (Runs - 1) / Runs);
        }
    }

    [Fact]
    public void Equal_arms_are_seldom_found_to_differ_though_the_weights_move_at_every_look()
    {
        const int Runs = 200;
        var (found, mismatches) = (0, 0);
        for (var seed = 0; seed < Runs; seed++)
        {
            var (wasFound, wasMismatch) = (false, false);
            Run(seed, [0.3, 0.3, 0.3], periods: 15, subjects: 300, experiment =>
            {
                var readout = experiment.Read();
                wasMismatch |= !readout.IsValid;
                wasFound |= readout.Stop.State is StopState.Better or StopState.Worse or StopState.Harmful;
            });
            if (wasFound) found++;
            if (wasMismatch) mismatches++;
        }

        Assert.True(found <= 0.05 * Runs, $"{found} of {Runs}");
        Assert.Equal(0, mismatches);
    }

    [Fact]
    public void The_better_arm_is_found_and_most_subjects_met_it_by_then()
    {
        var (found, met) = (0, 0.0);
        for (var seed = 0; seed < 40; seed++)
        {
            var experiment = Run(seed, [0.2, 0.2, 0.32], periods: 20, subjects: 300);
            if (experiment.Read().Stop is { State: StopState.Better, Arm: "arm-2" }) found++;
            met += experiment.Subjects[2] / (double)experiment.Subjects.Sum() / 40;
        }

        Assert.True(found >= 36 && met > 0.65, $"{found} of 40; {met:R} of the subjects");
    }

    private static SimulatedExperiment Run(int seed, double[] rates, int periods, int subjects, Action<SimulatedExperiment>? look = null)
    {
        var experiment = new SimulatedExperiment(seed, rates, plan: Plan);
        for (var period = 0; period < periods; period++)
        {
            if (period > 0)
            {
                var weights = Next(experiment);
                if (!weights.SequenceEqual(experiment.Experiment.Periods[^1].Weights)) experiment.Move([.. weights]);
            }

            experiment.Meet(subjects);
            look?.Invoke(experiment);
        }

        return experiment;
    }

    private static IReadOnlyList<double> Next(SimulatedExperiment experiment) => NextWeights.Of(experiment.Experiment, experiment.Evidence);
}
