using MlOps.Gateway.Splits;

namespace MlOps.Gateway.Experiments;

/// <summary>An experiment as a client declares it; what is left out takes its default.</summary>
internal sealed record ExperimentBody(
    string? Model, string? Hypothesis, IReadOnlyList<TrafficPolicyEndpoints.ArmBody?>? Arms, string? Salt, double? Coverage,
    string? SubjectHeader, string? SubjectInput, string? SubjectJson, TrafficPolicyEndpoints.LayerBody? Layer, ExperimentBody.MetricBody? Primary,
    IReadOnlyList<ExperimentBody.MetricBody?>? Guardrails, IReadOnlyList<string?>? Segments, double? Alpha, double? Power, double? TunedFor,
    long? AttributionSeconds, ExperimentBody.StopBody? Stop, ExperimentBody.ThompsonBody? Thompson, long? Revision, string? Actor,
    string? Reason)
{
    public ExperimentPlan Plan() => new(Metric(Primary))
    {
        Hypothesis = Hypothesis ?? "",
        Arms = [.. (Arms ?? []).Select(a => new PolicyArm(a?.Name ?? "", a?.Version ?? "", a?.Weight ?? double.NaN))],
        Salt = Salt ?? "",
        Coverage = Coverage ?? 1,
        SubjectHeader = SubjectHeader ?? "",
        SubjectInput = SubjectInput ?? "",
        SubjectJson = SubjectJson ?? "",
        Layer = Layer is { } layer ? new PolicyLayer(layer.Name ?? "", layer.Start ?? double.NaN, layer.End ?? double.NaN) : null,
        Guardrails = [.. (Guardrails ?? []).Select(Metric)],
        Segments = [.. (Segments ?? []).Select(s => s ?? "")],
        Alpha = Alpha ?? 0.05,
        Power = Power ?? 0.8,
        TunedFor = TunedFor ?? 5_000,
        AttributionSeconds = AttributionSeconds ?? 0,
        Stop = new StopRule
        {
            IsAutomatic = Stop?.IsAutomatic ?? false,
            MinSubjects = Stop?.MinSubjects ?? 100,
            MinSeconds = Stop?.MinSeconds ?? 0,
            MaxSubjects = Stop?.MaxSubjects ?? 0,
            MaxSeconds = Stop?.MaxSeconds ?? 0,
        },
        Thompson = Thompson is { } thompson ? new ThompsonPlan(thompson.IntervalSeconds ?? 0, thompson.Floor ?? 0.05) : null,
    };

    private static ExperimentMetric Metric(MetricBody? metric) => new(
        metric?.Name ?? "", metric?.Kind ?? "", metric?.Outcome ?? "", metric?.Direction ?? "", metric?.Absolute ?? 0, metric?.Relative ?? 0);

    internal sealed record MetricBody(string? Name, string? Kind, string? Outcome, string? Direction, double? Absolute, double? Relative);

    internal sealed record StopBody(bool? IsAutomatic, long? MinSubjects, long? MinSeconds, long? MaxSubjects, long? MaxSeconds);

    internal sealed record ThompsonBody(long? IntervalSeconds, double? Floor);
}
