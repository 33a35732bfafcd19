using MassTransit;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Events;
using MlOps.Inference.BatchJobs.Files;

namespace MlOps.Inference.BatchJobs;

/// <summary>Plans jobs, one replica of those who share the files.</summary>
internal sealed class BatchJobRequestedConsumer(PlanBatchJob plan) : IConsumer<BatchJobRequested>
{
    public Task Consume(ConsumeContext<BatchJobRequested> context) => plan.HandleAsync(context.Message.JobId, context.CancellationToken);
}

/// <summary>A worker: the message is acknowledged when the partition is scored, so a lost worker's partition comes again.</summary>
internal sealed class BatchPartitionRequestedConsumer(ScorePartition score) : IConsumer<BatchPartitionRequested>
{
    public Task Consume(ConsumeContext<BatchPartitionRequested> context) =>
        score.HandleAsync(context.Message.JobId, context.Message.Partition, context.CancellationToken);
}

/// <summary>Publishes the result after the last partition; repeated deliveries find it published.</summary>
internal sealed class BatchPartitionScoredConsumer(PublishBatchResult publish) : IConsumer<BatchPartitionScored>
{
    public Task Consume(ConsumeContext<BatchPartitionScored> context) => publish.HandleAsync(context.Message.JobId, context.CancellationToken);
}

/// <summary>Fails the job whose work could not be done after all retries, so that nobody waits for ever.</summary>
internal sealed class BatchFaultConsumer(EndBatchJob end)
    : IConsumer<Fault<BatchJobRequested>>, IConsumer<Fault<BatchPartitionRequested>>, IConsumer<Fault<BatchPartitionScored>>
{
    public Task Consume(ConsumeContext<Fault<BatchJobRequested>> context) =>
        FailAsync(context.Message.Message.JobId, "The input could not be read", context.Message, context.CancellationToken);

    public Task Consume(ConsumeContext<Fault<BatchPartitionRequested>> context) => FailAsync(
        context.Message.Message.JobId, $"Partition {context.Message.Message.Partition} could not be scored", context.Message,
        context.CancellationToken);

    public Task Consume(ConsumeContext<Fault<BatchPartitionScored>> context) =>
        FailAsync(context.Message.Message.JobId, "The result could not be published", context.Message, context.CancellationToken);

    private Task FailAsync(Guid job, string what, Fault fault, CancellationToken ct) =>
        end.FailAsync(job, $"{what}, given up after all retries: {fault.Exceptions?.FirstOrDefault()?.Message ?? "unknown reason"}", ct);
}

internal static class BatchQueue
{
    public const string Partitions = "partitions";

    // The queue of a folder that is gone must not fill for ever.
    public static readonly TimeSpan ForgottenAfter = TimeSpan.FromDays(30);

    public static string Name(string name, IConfiguration configuration, IBatchFiles files) =>
        $"{configuration["Bus:Prefix"]}inference-batch-{name}-{files.Id}";

    /// <summary>A replica that only asks for partitions makes the queue they wait in, as those who take them do.</summary>
    public static void KeepPartitions(IRabbitMqBusFactoryConfigurator rabbit, IConfiguration configuration, IBatchFiles files)
    {
        // A queue that is bound to the event's exchange twice, here and by those who take, still gets each event once.
        rabbit.Publish<BatchPartitionRequested>(topology => topology.BindQueue(
            topology.Exchange.ExchangeName, Name(Partitions, configuration, files), queue => queue.QueueExpiration = ForgottenAfter));
    }
}

/// <summary>
/// Queues of those who share the files: each such group hears of every job, does its own and passes over the others'.
/// </summary>
internal abstract class BatchEndpoint<TConsumer> : ConsumerDefinition<TConsumer> where TConsumer : class, IConsumer
{
    private readonly int _concurrency;

    protected BatchEndpoint(string name, IConfiguration configuration, IBatchFiles files, int concurrency)
    {
        EndpointName = BatchQueue.Name(name, configuration, files);
        ConcurrentMessageLimit = _concurrency = concurrency;
    }

    // No more messages than are worked on at once, so that the rest goes to other workers.
    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator, IConsumerConfigurator<TConsumer> consumerConfigurator, IRegistrationContext context)
    {
        endpointConfigurator.PrefetchCount = _concurrency;
        if (endpointConfigurator is IRabbitMqReceiveEndpointConfigurator rabbit) rabbit.QueueExpiration = BatchQueue.ForgottenAfter;
    }
}

internal sealed class BatchJobRequestedEndpoint(IConfiguration configuration, IBatchFiles files)
    : BatchEndpoint<BatchJobRequestedConsumer>("jobs", configuration, files, concurrency: 2);

internal sealed class BatchPartitionRequestedEndpoint(IConfiguration configuration, IBatchFiles files, IOptions<BatchOptions> options)
    : BatchEndpoint<BatchPartitionRequestedConsumer>(BatchQueue.Partitions, configuration, files, options.Value.ConcurrentPartitions);

internal sealed class BatchPartitionScoredEndpoint(IConfiguration configuration, IBatchFiles files)
    : BatchEndpoint<BatchPartitionScoredConsumer>("results", configuration, files, concurrency: 4);

internal sealed class BatchFaultEndpoint(IConfiguration configuration, IBatchFiles files)
    : BatchEndpoint<BatchFaultConsumer>("faults", configuration, files, concurrency: 2);
