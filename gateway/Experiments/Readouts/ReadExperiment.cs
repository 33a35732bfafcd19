using MlOps.Contracts.Monitoring.V1;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Experiments.Readouts;

/// <summary>The read-out of an experiment that has begun, and its exposure log, made from what Monitoring has of it by now.</summary>
internal sealed class ReadExperiment(
    ListExperiments experiments, GatherEvidence gather, PolicyBook book, MonitoringService.MonitoringServiceClient monitoring,
    TimeProvider time)
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);

    /// <exception cref="NotFoundException">EXPERIMENT_NOT_FOUND.</exception>
    /// <exception cref="ConflictException">EXPERIMENT_NOT_BEGUN.</exception>
    /// <exception cref="Grpc.Core.RpcException">Monitoring's answer.</exception>
    public async Task<ExperimentReadout> RunAsync(string name, CancellationToken ct)
    {
        var experiment = await BegunAsync(name, ct);
        return Of(experiment, await gather.RunAsync(experiment, ct));
    }

    /// <summary>Of evidence that was gathered already.</summary>
    public ExperimentReadout Of(Experiment experiment, ExperimentEvidence evidence)
    {
        var isOverridden = experiment.State == ExperimentState.Running && book.Overridden.Contains(experiment.Model);
        return JudgeExperiment.Read(
            experiment, evidence, time.GetUtcNow(),
            isOverridden ? [$"The policy file's traffic policy stands before the experiment's split of {experiment.Model}."] : []);
    }

    /// <summary>Each subject once, with the arm it met first.</summary>
    /// <inheritdoc cref="RunAsync"/>
    public async Task<ListExposuresResponse> ExposuresAsync(string name, int pageSize, string pageToken, CancellationToken ct)
    {
        var experiment = await BegunAsync(name, ct);
        var from = experiment.Periods[0].StartsAt;
        var to = experiment.EndedAt;
        // Ended before it was surely in force everywhere, nobody took part.
        if (to <= from) return new ListExposuresResponse();
        return await monitoring.ListExposuresAsync(
            new ListExposuresRequest
            {
                Model = experiment.Model,
                Arms = { experiment.Plan.Arms.Select(a => a.Name) },
                FromMicros = Micros(from),
                ToMicros = to is { } end ? Micros(end) : 0,
                PageSize = pageSize,
                PageToken = pageToken,
            },
            deadline: (time.GetUtcNow() + Patience).UtcDateTime, cancellationToken: ct);
    }

    private async Task<Experiment> BegunAsync(string name, CancellationToken ct)
    {
        var experiment = await experiments.GetAsync(name, ct);
        return experiment.State != ExperimentState.Draft
            ? experiment
            : throw new ConflictException("EXPERIMENT_NOT_BEGUN", $"The experiment {name} is a draft; there is nothing to read before it is started.");
    }

    private static long Micros(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
}
