using MlOps.Contracts.Monitoring.V1;
using MlOps.Gateway.Splits;
using Wire = MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway.Experiments;

/// <summary>Experiments between the wire of <c>mlops.gateway.v1</c> and the slices.</summary>
internal static class ExperimentWire
{
    public static ExperimentPlan FromWire(Wire.ExperimentPlan plan) => new(FromWire(plan.Primary ?? new Wire.ExperimentMetric()))
    {
        Hypothesis = plan.Hypothesis,
        Arms = [.. plan.Arms.Select(a => new PolicyArm(a.Name, a.Version, a.Weight))],
        Salt = plan.Salt,
        Coverage = plan.Coverage == 0 ? 1 : plan.Coverage,
        SubjectHeader = plan.SubjectHeader,
        SubjectInput = plan.SubjectInput,
        SubjectJson = plan.SubjectJson,
        Layer = plan.Layer is { } layer ? new PolicyLayer(layer.Name, layer.Start, layer.End) : null,
        Guardrails = [.. plan.Guardrails.Select(FromWire)],
        Segments = [.. plan.Segments],
        Alpha = plan.Alpha == 0 ? 0.05 : plan.Alpha,
        Power = plan.Power == 0 ? 0.8 : plan.Power,
        TunedFor = plan.TunedFor == 0 ? 5_000 : plan.TunedFor,
        AttributionSeconds = plan.AttributionSeconds,
        Stop = plan.Stop is { } stop
            ? new StopRule
            {
                IsAutomatic = stop.IsAutomatic,
                MinSubjects = stop.MinSubjects == 0 ? 100 : stop.MinSubjects,
                MinSeconds = stop.MinSeconds,
                MaxSubjects = stop.MaxSubjects,
                MaxSeconds = stop.MaxSeconds,
            }
            : new StopRule(),
        Thompson = plan.Thompson is { } thompson ? new ThompsonPlan(thompson.IntervalSeconds, thompson.Floor) : null,
    };

    public static Wire.Experiment ToWire(Experiment experiment) => new()
    {
        Name = experiment.Name,
        Model = experiment.Model,
        Plan = ToWire(experiment.Plan),
        State = experiment.State,
        Revision = experiment.Revision,
        CreatedAtMicros = Micros(experiment.CreatedAt),
        UpdatedAtMicros = Micros(experiment.UpdatedAt),
        StartedAtMicros = Micros(experiment.StartedAt),
        EndedAtMicros = Micros(experiment.EndedAt),
        PolicyRevision = experiment.PolicyRevision,
        Decision = experiment.Decision is { } decision
            ? new Wire.ExperimentDecision
            {
                Arm = decision.Arm,
                Actor = decision.Actor,
                Reason = decision.Reason,
                StopState = decision.StopState,
                Recommendation = decision.Recommendation,
            }
            : null,
        Periods = { experiment.Periods.Select(ToWire) },
    };

    public static Wire.ExperimentPeriod ToWire(ExperimentPeriod period) => new()
    {
        Number = period.Number,
        StartsAtMicros = Micros(period.StartsAt),
        EndsAtMicros = Micros(period.EndsAt),
        Salt = period.Salt,
        Weights = { period.Weights },
    };

    public static Wire.ExperimentMetric ToWire(ExperimentMetric metric) => new()
    {
        Name = metric.Name,
        Kind = metric.Kind,
        Outcome = metric.Outcome,
        Direction = metric.Direction,
        Absolute = metric.Absolute,
        Relative = metric.Relative,
    };

    public static Wire.ListExperimentExposuresResponse ToWire(ListExposuresResponse exposures) => new()
    {
        Exposures =
        {
            exposures.Subjects.Select(s => new Wire.ListExperimentExposuresResponse.Types.Exposure
            {
                SubjectHash = s.SubjectHash,
                Arm = s.Arm,
                FirstAtMicros = s.FirstMicros,
                Requests = s.Requests,
                HasCrossed = s.HasCrossed,
            }),
        },
        NextPageToken = exposures.NextPageToken,
    };

    /// <summary>0: there is none.</summary>
    public static long Micros(DateTimeOffset? time) =>
        time is { } t ? (t - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond : 0;

    private static ExperimentMetric FromWire(Wire.ExperimentMetric metric) =>
        new(metric.Name, metric.Kind, metric.Outcome, metric.Direction, metric.Absolute, metric.Relative);

    private static Wire.ExperimentPlan ToWire(ExperimentPlan plan) => new()
    {
        Hypothesis = plan.Hypothesis,
        Arms = { plan.Arms.Select(a => new Wire.Arm { Name = a.Name, Version = a.Version, Weight = a.Weight }) },
        Salt = plan.Salt,
        Coverage = plan.Coverage,
        SubjectHeader = plan.SubjectHeader,
        SubjectInput = plan.SubjectInput,
        SubjectJson = plan.SubjectJson,
        Layer = plan.Layer is { } layer ? new Wire.Layer { Name = layer.Name, Start = layer.Start, End = layer.End } : null,
        Primary = ToWire(plan.Primary),
        Guardrails = { plan.Guardrails.Select(ToWire) },
        Segments = { plan.Segments },
        Alpha = plan.Alpha,
        Power = plan.Power,
        TunedFor = plan.TunedFor,
        AttributionSeconds = plan.AttributionSeconds,
        Stop = new Wire.StopRule
        {
            IsAutomatic = plan.Stop.IsAutomatic,
            MinSubjects = plan.Stop.MinSubjects,
            MinSeconds = plan.Stop.MinSeconds,
            MaxSubjects = plan.Stop.MaxSubjects,
            MaxSeconds = plan.Stop.MaxSeconds,
        },
        Thompson = plan.Thompson is { } thompson
            ? new Wire.ThompsonPlan { IntervalSeconds = thompson.IntervalSeconds, Floor = thompson.Floor }
            : null,
    };
}
