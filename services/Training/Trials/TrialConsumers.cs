using MassTransit;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Events;
using MlOps.Contracts.Registry.V1;
using MlOps.Training.Runs;

namespace MlOps.Training.Trials;

/// <summary>A worker: takes one trial after the other. The message is acknowledged when the trial has ended, so a lost worker's trial comes again.</summary>
internal sealed class TrialRequestedConsumer(RunTrial run) : IConsumer<TrialRequested>
{
    public Task Consume(ConsumeContext<TrialRequested> context) =>
        run.HandleAsync(context.Message.TrainingRunId, context.Message.Trial, context.CancellationToken);
}

/// <summary>Takes no more messages from the broker than trials run at once, so that the rest goes to other workers.</summary>
internal sealed class TrialRequestedConsumerDefinition : ConsumerDefinition<TrialRequestedConsumer>
{
    private readonly int _concurrency;

    public TrialRequestedConsumerDefinition(IOptions<TrainingOptions> options) =>
        ConcurrentMessageLimit = _concurrency = options.Value.ConcurrentTrials;

    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<TrialRequestedConsumer> consumerConfigurator,
        IRegistrationContext context) => endpointConfigurator.PrefetchCount = _concurrency;
}

/// <summary>Ends the trial that could not be run after all retries, so that its training run does not wait for ever.</summary>
internal sealed class TrialFaultedConsumer(TrialState trials, RunRecorder recorder) : IConsumer<Fault<TrialRequested>>
{
    public async Task Consume(ConsumeContext<Fault<TrialRequested>> context)
    {
        var (trainingRun, number) = (context.Message.Message.TrainingRunId, context.Message.Message.Trial);
        var reason = FaultReason.Of(context.Message);
        await trials.EndAsync(trainingRun, number, TrialOutcome.Failed(reason, 0), context.CancellationToken);
        // Last, for the registry may be what is away.
        await recorder.EndIfRunningAsync(
            RegistryRunIds.ForTrial(trainingRun, number), Run.Types.Status.Failed, reason, context.CancellationToken);
    }
}

/// <summary>Finishes the run after its last trial; repeated deliveries find it finished.</summary>
internal sealed class TrialCompletedConsumer(FinishTrainingRun finish) : IConsumer<TrialCompleted>
{
    public Task Consume(ConsumeContext<TrialCompleted> context) =>
        finish.HandleAsync(context.Message.TrainingRunId, context.CancellationToken);
}

/// <summary>Ends the run that could not be finished after all retries.</summary>
internal sealed class TrialCompletedFaultedConsumer(FinishTrainingRun finish) : IConsumer<Fault<TrialCompleted>>
{
    public Task Consume(ConsumeContext<Fault<TrialCompleted>> context) => finish.FailAsync(
        context.Message.Message.TrainingRunId, FaultReason.Of(context.Message), context.CancellationToken);
}

internal static class FaultReason
{
    // Status(StatusCode="Unavailable", Detail="Error connecting to subchannel.", DebugException="System.Net.…")
    private const string ForDevelopers = ", DebugException=";

    internal static string Of(Fault fault)
    {
        var message = fault.Exceptions?.FirstOrDefault()?.Message ?? "unknown reason";
        var end = message.IndexOf(ForDevelopers, StringComparison.Ordinal);
        return $"Given up after all retries: {(end < 0 ? message : message[..end] + ')')}";
    }
}
