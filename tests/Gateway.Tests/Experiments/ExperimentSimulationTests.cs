using MlOps.Gateway.Experiments.Readouts;

namespace MlOps.Gateway.Tests.Experiments;

/// <summary>Whole experiments, looked at after every batch of subjects; all seeds are fixed.</summary>
public sealed class ExperimentSimulationTests
{
    private const int Looks = 30;
    private const int Batch = 200;

    [Fact]
    public void Equal_arms_are_seldom_found_to_differ_over_all_looks_and_arms()
    {
        const int Runs = 300;
        var (found, mismatches) = (0, 0);
        for (var seed = 0; seed < Runs; seed++)
        {
            var experiment = new SimulatedExperiment(seed, [0.2, 0.2, 0.2]);
            var wasFound = false;
            for (var look = 0; look < Looks && !wasFound; look++)
            {
                experiment.Meet(Batch);
                var readout = experiment.Read();
                if (!readout.IsValid) mismatches++;
                wasFound = readout.Stop.State is StopState.Better or StopState.Worse or StopState.Harmful;
            }

            if (wasFound) found++;
        }

        // At most 5 % each for the metric and the guardrails; 300 runs know it to about 1.5 points.
        Assert.True(found <= 0.05 * Runs, $"{found} of {Runs} stopped");
        Assert.Equal(0, mismatches);
    }

    [Fact]
    public void A_better_arm_among_several_is_found_as_a_rule_and_hardly_ever_another()
    {
        const int Runs = 100;
        var (right, wrong) = (0, 0);
        for (var seed = 0; seed < Runs; seed++)
        {
            var experiment = new SimulatedExperiment(seed, [0.2, 0.2, 0.3]);
            for (var look = 0; look < Looks; look++)
            {
                experiment.Meet(Batch);
                if (experiment.Read().Stop is not { State: StopState.Better } stop) continue;
                if (stop.Arm == "arm-2") right++;
                else wrong++;
                break;
            }
        }

        Assert.True(right >= 95 && wrong <= 2, $"{right} right, {wrong} wrong");
    }

    [Fact]
    public void An_arm_that_loses_a_tenth_of_its_subjects_is_noticed_before_it_can_win()
    {
        const int Runs = 60;
        var noticed = 0;
        for (var seed = 0; seed < Runs; seed++)
        {
            var (experiment, random) = (new SimulatedExperiment(seed, [0.2, 0.2]), new Random(1_000 + seed));
            var isMismatch = false;
            for (var look = 0; look < 100 && !isMismatch; look++)
            {
                experiment.Meet(Batch, isLost: arm => arm == 1 && random.NextDouble() < 0.1);
                isMismatch = experiment.Read().Stop.State == StopState.Invalid;
            }

            if (isMismatch) noticed++;
        }

        Assert.True(noticed >= 57, $"{noticed} of {Runs}");
    }
}
