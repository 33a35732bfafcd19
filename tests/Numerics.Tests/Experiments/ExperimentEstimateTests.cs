using MlOps.Numerics.Bandits;
using MlOps.Numerics.Experiments;
using MlOps.Numerics.Sequential;

namespace MlOps.Numerics.Tests.Experiments;

public class ExperimentEstimateTests
{
    [Fact]
    public void Sums_about_any_centre_give_the_mean_and_error_of_the_units_themselves()
    {
        var random = new Random(3);
        var units = Enumerable.Range(0, 500).Select(_ => (X: 1e6 + random.NextDouble() * 20, N: 1.0 + random.Next(5)))
            .Select(u => (u.X * u.N, u.N)).ToArray();
        var mean = units.Sum(u => u.Item1) / units.Sum(u => u.N);
        var variance = units.Sum(u => (u.Item1 - mean * u.N) * (u.Item1 - mean * u.N)) * 500 / 499 / Math.Pow(units.Sum(u => u.N), 2);
        foreach (var centre in new[] { 1e6, 1e6 + 10, 999_990 })
        {
            var moments = UnitSums.Of(units, centre).Moments(isShare: false);
            Reference.Close(mean, moments.Mean, 1e-12);
            Reference.Close(variance, moments.MeanVariance, 1e-6);
            Assert.Equal(500, moments.Count);
        }
    }

    [Fact]
    public void A_subject_with_many_requests_is_one_piece_of_evidence()
    {
        // Ten subjects, half of which fail always: the error of 10 units, however many requests each has.
        var few = UnitSums.Of([.. Enumerable.Range(0, 10).Select(i => (X: (double)(i % 2), N: 1.0))]).Moments(isShare: false);
        var many = UnitSums.Of([.. Enumerable.Range(0, 10).Select(i => (X: 1_000.0 * (i % 2), N: 1_000.0))]).Moments(isShare: false);
        Reference.Close(few.MeanVariance, many.MeanVariance, 1e-12);
        Reference.Close(0.25 * 10 / 9 / 10, few.MeanVariance, 1e-12);
    }

    [Fact]
    public void The_lift_of_two_shares_equals_the_reference()
    {
        var control = Share(1_000, 100).Moments(isShare: true);
        var treatment = Share(1_100, 154).Moments(isShare: true);
        var contrast = Contrast.Of([new Stratum(control, treatment)], 1, -1, 0);
        var lift = ArmLift.Of(control, treatment, contrast, new ConfidenceSequence(0.05, 5_000));

        // By the formulas of docs/experiments.md, in Python.
        Reference.Close(0.04, lift.Difference, 1e-12);
        Reference.Close(-0.004214438517328896, lift.Lower, 1e-9);
        Reference.Close(0.0842144385173289, lift.Upper, 1e-9);
        Reference.Close(0.0983808495143084, lift.PValue, 1e-9);
        Reference.Close(2095.2380952380954, lift.Observations, 1e-12);
        Reference.Close(0.4, lift.Lift, 1e-12);
        Reference.Close(-0.035171919224786685, lift.LiftLower, 1e-9);
        Reference.Close(1.1070855508205422, lift.LiftUpper, 1e-9);
    }

    [Fact]
    public void The_lifts_interval_leaves_out_zero_just_where_that_of_the_difference_does()
    {
        var random = new Random(5);
        var sequence = new ConfidenceSequence();
        int outside = 0, inside = 0;
        for (var i = 0; i < 2_000; i++)
        {
            var control = new ArmMoments(500, random.NextDouble() * 4 - 2, random.NextDouble() * 1e-3);
            var treatment = new ArmMoments(500, control.Mean + random.NextDouble() - 0.5, random.NextDouble() * 1e-3);
            var lift = ArmLift.Of(control, treatment, Contrast.Of([new Stratum(control, treatment)], 1, -1, 0), sequence);
            if (double.IsNaN(lift.LiftLower)) continue;
            Assert.True(lift.LiftLower <= lift.Lift && lift.Lift <= lift.LiftUpper, $"{lift}");
            Assert.Equal(lift.Lower > 0, lift.LiftLower > 0);
            Assert.Equal(lift.Upper < 0, lift.LiftUpper < 0);
            if (lift.Lower > 0 || lift.Upper < 0) outside++;
            else inside++;
        }

        Assert.True(outside > 100 && inside > 100, $"{outside}, {inside}");
    }

    [Fact]
    public void Where_the_split_never_changed_the_weights_fall_out()
    {
        var sums = UnitSums.Of([(1, 1), (0, 1), (3, 1), (2, 1)]);
        var weighted = WeightedSums.Hajek([new ArmPeriod(sums, 0.3, 20)]);
        Reference.Close(sums.Mean, weighted.Mean, 1e-12);
        Reference.Close(sums.SquaresAbout(1.5) / 16, weighted.MeanVariance, 1e-12);
    }

    [Fact]
    public void Over_several_periods_it_is_the_estimate_of_the_bandit()
    {
        // As in InversePropensityTests, the sums about another centre.
        ArmPeriod[] periods =
        [
            new(UnitSums.Of([(1, 1), (0, 1), (1, 1), (1, 1)], centre: 0.7), 0.5, 10),
            new(UnitSums.Of([(1, 1), (1, 1), (0, 1)], centre: 0.7), 0.25, 20),
        ];
        PropensityBatch[] batches = [new(10, 0.5, 4, 3, 3), new(20, 0.25, 3, 2, 2)];
        var (hajek, error) = InversePropensity.Hajek(batches);
        Reference.Close(hajek, WeightedSums.Hajek(periods).Mean, 1e-12);
        Reference.Close(error * error, WeightedSums.Hajek(periods).MeanVariance, 1e-12);
        Reference.Close(InversePropensity.HorvitzThompson(batches).Estimate, WeightedSums.HorvitzThompson(periods).Estimate, 1e-12);
        Reference.Close(InversePropensity.HorvitzThompson(batches).StandardError, WeightedSums.HorvitzThompson(periods).StandardError, 1e-12);
    }

    [Fact]
    public void A_difference_of_an_even_split_is_worth_its_subjects()
    {
        var random = new Random(9);
        UnitSums Arm() => UnitSums.Of([.. Enumerable.Range(0, 4_000).Select(_ => (random.NextDouble(), 1.0))], 0.5);
        var (control, treatment) = (Arm(), Arm());
        var contrast = WeightedSums.Difference([new ArmPeriod(control, 0.5, 8_000)], [new ArmPeriod(treatment, 0.5, 8_000)]);
        Reference.Close(treatment.Mean - control.Mean, contrast.Estimate, 1e-12);
        Reference.Close(8_000, contrast.Observations, 0.01);
    }

    private static UnitSums Share(int units, int events) =>
        UnitSums.Of([.. Enumerable.Range(0, units).Select(i => (i < events ? 1.0 : 0.0, 1.0))], centre: 0.1);
}
