using Wire = MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway.Experiments.Readouts;

/// <summary>A read-out on the wire: what is null is absent.</summary>
internal static class ReadoutWire
{
    public static Wire.ExperimentReadout ToWire(ExperimentReadout readout) => new()
    {
        Name = readout.Name,
        Model = readout.Model,
        Hypothesis = readout.Hypothesis,
        State = readout.State,
        AtMicros = ExperimentWire.Micros(readout.At),
        StartedAtMicros = ExperimentWire.Micros(readout.StartedAt),
        EndedAtMicros = ExperimentWire.Micros(readout.EndedAt),
        IsValid = readout.IsValid,
        Problems = { readout.Problems },
        SampleRatio = new Wire.SampleRatioReadout
        {
            PValue = readout.SampleRatio.PValue,
            IsMismatch = readout.SampleRatio.IsMismatch,
            Crossed = readout.SampleRatio.Crossed,
            Arms =
            {
                readout.SampleRatio.Arms.Select(a => new Wire.SampleRatioReadout.Types.Arm
                {
                    Arm_ = a.Arm,
                    Version = a.Version,
                    Subjects = a.Subjects,
                    Expected = a.Expected,
                }),
            },
        },
        Primary = new Wire.MetricReadout
        {
            Metric = ExperimentWire.ToWire(readout.Primary.Metric),
            Arms = { readout.Primary.Arms.Select(ToWire) },
        },
        Guardrails =
        {
            readout.Guardrails.Select(g => new Wire.GuardrailReadout
            {
                Metric = ExperimentWire.ToWire(g.Metric),
                Arms = { g.Arms.Select(ToWire) },
            }),
        },
        Segments =
        {
            readout.Segments.Select(s => new Wire.SegmentReadout { Input = s.Input, Segment = s.Segment, Arms = { s.Arms.Select(ToWire) } }),
        },
        Need = ToWire(readout.Need),
        Stop = new Wire.StopReadout { State = readout.Stop.State, Arm = readout.Stop.Arm, Reason = readout.Stop.Reason },
        Recommendation = readout.Recommendation,
        Periods = { readout.Periods.Select(ExperimentWire.ToWire) },
    };

    // Null leaves the field absent.
    private static Wire.ArmReadout ToWire(ArmReadout arm)
    {
        var wire = new Wire.ArmReadout { Arm = arm.Arm, Subjects = arm.Subjects };
        if (arm.Mean is { } mean) wire.Mean = mean;
        if (arm.Lower is { } lower) wire.Lower = lower;
        if (arm.Upper is { } upper) wire.Upper = upper;
        if (arm.Unbiased is { } unbiased) wire.Unbiased = unbiased;
        if (arm.UnbiasedError is { } error) wire.UnbiasedError = error;
        if (arm.VersusControl is { } lift) wire.VersusControl = ToWire(lift);
        return wire;
    }

    private static Wire.LiftReadout ToWire(LiftReadout lift)
    {
        var wire = new Wire.LiftReadout { Observations = lift.Observations };
        if (lift.Difference is { } difference) wire.Difference = difference;
        if (lift.Lower is { } lower) wire.Lower = lower;
        if (lift.Upper is { } upper) wire.Upper = upper;
        if (lift.PValue is { } p) wire.PValue = p;
        if (lift.Lift is { } share) wire.Lift = share;
        if (lift.LiftLower is { } least) wire.LiftLower = least;
        if (lift.LiftUpper is { } most) wire.LiftUpper = most;
        return wire;
    }

    private static Wire.GuardrailReadout.Types.Arm ToWire(GuardrailArm arm)
    {
        var wire = new Wire.GuardrailReadout.Types.Arm { Arm_ = arm.Arm, State = arm.State };
        if (arm.Control is { } control) wire.Control = control;
        if (arm.Treatment is { } treatment) wire.Treatment = treatment;
        if (arm.Difference is { } difference) wire.Difference = difference;
        if (arm.Lower is { } lower) wire.Lower = lower;
        if (arm.Upper is { } upper) wire.Upper = upper;
        if (arm.Margin is { } margin) wire.Margin = margin;
        if (arm.PValue is { } p) wire.PValue = p;
        if (arm.MoreNeeded is { } more) wire.MoreNeeded = more;
        return wire;
    }

    private static Wire.SampleNeed ToWire(SampleNeed need)
    {
        var wire = new Wire.SampleNeed();
        if (need.Effect is { } effect) wire.Effect = effect;
        if (need.SubjectsPerArm is { } perArm) wire.SubjectsPerArm = perArm;
        if (need.Power is { } power) wire.Power = power;
        if (need.MoreSubjects is { } more) wire.MoreSubjects = more;
        if (need.DaysLeft is { } days) wire.DaysLeft = days;
        return wire;
    }
}
