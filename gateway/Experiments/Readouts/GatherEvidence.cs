using Microsoft.Extensions.Options;
using MlOps.Contracts.Monitoring.V1;
using Sums = MlOps.Numerics.Experiments.UnitSums;

namespace MlOps.Gateway.Experiments.Readouts;

/// <summary>Asks Monitoring for what an experiment is read from; labels and outcomes that came late are in it.</summary>
internal sealed class GatherEvidence(
    MonitoringService.MonitoringServiceClient monitoring, IOptions<ExperimentOptions> options, TimeProvider time)
{
    /// <exception cref="Grpc.Core.RpcException">Monitoring is away or takes too long; SEGMENT_INVALID.</exception>
    public async Task<ExperimentEvidence> RunAsync(Experiment experiment, CancellationToken ct)
    {
        var whole = await CellsAsync(experiment, "", [.. Metrics(experiment.Plan)], ct);
        var segments = new List<(string, IReadOnlyList<EvidenceCell>)>();
        // Before the first request nobody knows a model's inputs.
        foreach (var input in whole.Count > 0 ? experiment.Plan.Segments : [])
            segments.Add((input, await CellsAsync(experiment, input, [experiment.Plan.Primary], ct)));
        return new ExperimentEvidence(whole, segments);
    }

    private async Task<IReadOnlyList<EvidenceCell>> CellsAsync(
        Experiment experiment, string input, ExperimentMetric[] metrics, CancellationToken ct)
    {
        // One that was over before all replicas were in it has nothing to be asked for.
        ExperimentPeriod[] periods = [.. experiment.Periods.Where(p => p.EndsAt is not { } end || end > p.StartsAt)];
        if (periods.Length == 0) return [];
        var answer = await monitoring.GetExperimentSumsAsync(
            new GetExperimentSumsRequest
            {
                Model = experiment.Model,
                Arms = { experiment.Plan.Arms.Select(a => a.Name) },
                Periods =
                {
                    periods.Select(p => new Period { FromMicros = Micros(p.StartsAt), ToMicros = p.EndsAt is { } end ? Micros(end) : 0 }),
                },
                Metrics = { metrics.Select(m => new UnitMetric { Kind = KindOf(m.Kind), Outcome = m.Outcome }) },
                SegmentBy = input,
                AttributionMicros = experiment.Plan.AttributionSeconds * 1_000_000,
            },
            deadline: (time.GetUtcNow() + options.Value.ReadPatience).UtcDateTime, cancellationToken: ct);
        return
        [
            .. answer.Cells.Select(c => new EvidenceCell(
                c.Arm, periods[c.Period].Number, c.Segment, c.Subjects, c.Crossed, [.. c.Sums.Select(Of)])),
        ];
    }

    private static IEnumerable<ExperimentMetric> Metrics(ExperimentPlan plan) => plan.Guardrails.Prepend(plan.Primary);

    private static Sums Of(Contracts.Monitoring.V1.UnitSums sums) =>
        new(sums.Units, sums.Centre, sums.N, sums.Y, sums.Yy, sums.Yn, sums.Nn);

    private static long Micros(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    private static UnitMetricKind KindOf(string kind) => kind switch
    {
        MetricKind.ErrorRate => UnitMetricKind.ErrorRate,
        MetricKind.Latency => UnitMetricKind.Latency,
        MetricKind.Prediction => UnitMetricKind.Prediction,
        MetricKind.Label => UnitMetricKind.Label,
        MetricKind.AbsoluteError => UnitMetricKind.AbsoluteError,
        MetricKind.SquaredError => UnitMetricKind.SquaredError,
        MetricKind.OutcomeTotal => UnitMetricKind.OutcomeTotal,
        MetricKind.OutcomeShare => UnitMetricKind.OutcomeShare,
        _ => UnitMetricKind.OutcomeMean,
    };
}
