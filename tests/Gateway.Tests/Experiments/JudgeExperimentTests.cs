using MlOps.Gateway.Experiments;
using MlOps.Gateway.Experiments.Readouts;
using MlOps.Numerics.Experiments;

namespace MlOps.Gateway.Tests.Experiments;

public sealed class JudgeExperimentTests
{
    [Fact]
    public void A_read_out_equals_the_reference()
    {
        var readout = Read(SimulatedExperiment.PlanOf(), Cell("control", 1_000, 100), Cell("treatment", 1_100, 154));

        // By the formulas of docs/experiments.md, in Python.
        Assert.True(readout.IsValid);
        var (control, treatment) = (readout.Primary.Arms[0], readout.Primary.Arms[1]);
        Close(0.1, control.Mean);
        Close(0.06786257071330505, control.Lower);
        Close(0.13213742928669497, control.Upper);
        Assert.Null(control.VersusControl);
        Close(0.04, treatment.VersusControl?.Difference);
        Close(-0.004214438517328896, treatment.VersusControl?.Lower);
        Close(0.0842144385173289, treatment.VersusControl?.Upper);
        Close(0.0983808495143084, treatment.VersusControl?.PValue);
        Close(0.4, treatment.VersusControl?.Lift);
        Close(1.1070855508205422, treatment.VersusControl?.LiftUpper);
        Close(0.02, readout.Need.Effect);
        Close(7_057, readout.Need.SubjectsPerArm);
        Close(0.05490552543286764, readout.Need.Power);
        // Of 2,100 subjects worth 2,095.24; twice 7,057 are needed.
        Close(Math.Ceiling(2_100 * (2 * 7_057 / 2095.2380952380954 - 1)), readout.Need.MoreSubjects);
        Assert.Equal(StopState.Collecting, readout.Stop.State);
        Assert.StartsWith("Go on: ", readout.Recommendation, StringComparison.Ordinal);
    }

    [Fact]
    public void A_clear_winner_is_found_and_named_with_its_version()
    {
        var readout = Read(SimulatedExperiment.PlanOf(), Cell("control", 2_000, 200), Cell("treatment", 2_000, 320));
        Assert.Equal((StopState.Better, "treatment"), (readout.Stop.State, readout.Stop.Arm));
        Assert.True(readout.Stop.IsFound);
        Assert.StartsWith("Take treatment (version 2): it changes conversion by +60.0 %", readout.Recommendation, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(200, 320, StopState.Worse)]
    [InlineData(320, 200, StopState.Better)]
    public void Lower_can_be_better(int control, int treatment, string state)
    {
        var plan = SimulatedExperiment.PlanOf();
        var readout = Read(
            plan with { Primary = plan.Primary with { Direction = "lower" } }, Cell("control", 2_000, control), Cell("treatment", 2_000, treatment));
        Assert.Equal(state, readout.Stop.State);
    }

    [Fact]
    public void An_effect_that_is_not_worth_finding_ends_it_too()
    {
        var readout = Read(SimulatedExperiment.PlanOf(absolute: 0.05), Cell("control", 10_000, 1_000), Cell("treatment", 10_000, 1_003));
        Assert.Equal((StopState.NoEffect, "control"), (readout.Stop.State, readout.Stop.Arm));
    }

    [Fact]
    public void Outcomes_that_have_not_come_yet_are_no_evidence_of_no_effect()
    {
        var readout = Read(SimulatedExperiment.PlanOf(absolute: 0.05), Cell("control", 5_000, 2), Cell("treatment", 5_000, 3));
        Assert.Equal(StopState.Collecting, readout.Stop.State);
    }

    [Fact]
    public void A_mismatch_of_the_split_is_said_loudly_and_nothing_is_found_then()
    {
        var readout = Read(SimulatedExperiment.PlanOf(), Cell("control", 2_000, 200), Cell("treatment", 1_600, 400));
        Assert.False(readout.IsValid);
        Assert.True(readout.SampleRatio.IsMismatch);
        Assert.Equal(StopState.Invalid, readout.Stop.State);
        Assert.False(readout.Stop.IsFound);
        Assert.StartsWith("Do not act on these figures. Sample-ratio mismatch", readout.Recommendation, StringComparison.Ordinal);
        Assert.Equal([1_800.0, 1_800.0], readout.SampleRatio.Arms.Select(a => a.Expected));
    }

    [Fact]
    public void Subjects_that_met_both_arms_make_it_invalid_when_they_are_many()
    {
        var few = Read(SimulatedExperiment.PlanOf(), Cell("control", 1_000, 100, crossed: 10), Cell("treatment", 1_000, 100));
        var many = Read(SimulatedExperiment.PlanOf(), Cell("control", 1_000, 100, crossed: 30), Cell("treatment", 1_000, 100));
        Assert.True(few.IsValid);
        Assert.False(many.IsValid);
        Assert.Contains("met more than one arm", many.Problems.Single(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_broken_guardrail_comes_before_a_better_metric()
    {
        var readout = Read(
            SimulatedExperiment.PlanOf(), Cell("control", 2_000, 200, failures: 20), Cell("treatment", 2_000, 400, failures: 300));
        Assert.Equal((StopState.Harmful, "treatment"), (readout.Stop.State, readout.Stop.Arm));
        Assert.Equal("broken", readout.Guardrails.Single().Arms.Single().State);
        Assert.StartsWith("Stop: treatment breaks the guardrail errors", readout.Recommendation, StringComparison.Ordinal);
    }

    [Fact]
    public void Nothing_is_found_before_the_least_number_of_subjects_and_a_limit_ends_it_without_a_winner()
    {
        var plan = SimulatedExperiment.PlanOf();
        var strict = Read(plan with { Stop = new StopRule { MinSubjects = 3_000 } }, Cell("control", 2_000, 200), Cell("treatment", 2_000, 400));
        Assert.Equal(StopState.Collecting, strict.Stop.State);
        var limited = Read(plan with { Stop = new StopRule { MaxSubjects = 2_000 } }, Cell("control", 1_000, 100), Cell("treatment", 1_000, 101));
        Assert.Equal(StopState.Inconclusive, limited.Stop.State);
        Assert.StartsWith("Stop without a winner", limited.Recommendation, StringComparison.Ordinal);
        var early = Read(plan with { Stop = new StopRule { MinSeconds = 100_000 } }, Cell("control", 2_000, 200), Cell("treatment", 2_000, 400));
        Assert.Equal(StopState.Collecting, early.Stop.State);
        var late = Read(plan with { Stop = new StopRule { MaxSeconds = 3_600 } }, Cell("control", 1_000, 100), Cell("treatment", 1_000, 101));
        Assert.Equal(StopState.Inconclusive, late.Stop.State);
    }

    [Fact]
    public void Without_a_subject_there_is_a_read_out_that_says_so()
    {
        var readout = Read(SimulatedExperiment.PlanOf());
        Assert.Equal((true, StopState.Collecting), (readout.IsValid, readout.Stop.State));
        Assert.All(readout.Primary.Arms, a => Assert.Equal((0L, null), (a.Subjects, a.Mean)));
        Assert.Contains("cannot be told yet", readout.Recommendation, StringComparison.Ordinal);
    }

    [Fact]
    public void Segments_are_shown_apart_the_largest_first_and_with_wider_intervals()
    {
        var experiment = Of(SimulatedExperiment.PlanOf());
        EvidenceCell[] whole = [Cell("control", 2_000, 200), Cell("treatment", 2_000, 320)];
        EvidenceCell[] parts =
        [
            Cell("control", 500, 50, segment: "JFK"), Cell("treatment", 500, 80, segment: "JFK"),
            Cell("control", 1_500, 150, segment: "LAX"), Cell("treatment", 1_500, 240, segment: "LAX"),
        ];
        var readout = JudgeExperiment.Read(experiment, new ExperimentEvidence(whole, [("origin", parts)]), SimulatedExperiment.Noon.AddDays(1));
        Assert.Equal(["LAX", "JFK"], readout.Segments.Select(s => s.Segment));
        var alone = Read(SimulatedExperiment.PlanOf(), parts[2], parts[3]).Primary.Arms[1].VersusControl;
        var part = readout.Segments[0].Arms[1].VersusControl;
        Assert.Equal(alone?.Difference, part?.Difference);
        Assert.True(part?.Upper - part?.Lower > alone?.Upper - alone?.Lower);
    }

    private static ExperimentReadout Read(ExperimentPlan plan, params EvidenceCell[] cells) =>
        JudgeExperiment.Read(Of(plan), new ExperimentEvidence(cells, []), SimulatedExperiment.Noon.AddDays(1));

    private static Experiment Of(ExperimentPlan plan) =>
        new("e", "m", ExperimentState.Running, 1, plan with { Arms = [new("control", "1", 0.5), new("treatment", "2", 0.5)] },
            SimulatedExperiment.Noon, SimulatedExperiment.Noon)
        {
            StartedAt = SimulatedExperiment.Noon,
            Periods = [new ExperimentPeriod(1, SimulatedExperiment.Noon, null, "e", [0.5, 0.5])],
        };

    private static EvidenceCell Cell(string arm, int subjects, int events, int failures = 0, int crossed = 0, string segment = "") =>
        new(arm, 1, segment, subjects, crossed, [Share(subjects, events), Share(subjects, failures)]);

    private static UnitSums Share(int units, int events) =>
        UnitSums.Of([.. Enumerable.Range(0, units).Select(i => (i < events ? 1.0 : 0.0, 1.0))], centre: 0.1);

    private static void Close(double expected, double? actual) => Assert.Equal(expected, actual ?? double.NaN, 1e-8);
}
