using MassTransit;
using MlOps.Contracts.Events;

namespace MlOps.Gateway.Splits;

/// <summary>Brings this replica up to the revision of the event; one that comes twice or late finds nothing to do.</summary>
internal sealed class TrafficPolicyChangedConsumer(PolicyBook book) : IConsumer<TrafficPolicyChanged>
{
    public Task Consume(ConsumeContext<TrafficPolicyChanged> context) =>
        book.CatchUpAsync(context.Message.Revision, context.CancellationToken);
}

/// <summary>A queue of its own for every replica, gone with it: each of them hears every event.</summary>
internal sealed class EveryReplica : ConsumerDefinition<TrafficPolicyChangedConsumer>
{
    public EveryReplica() => Endpoint(endpoint =>
    {
        endpoint.InstanceId = NewId.NextGuid().ToString("N");
        endpoint.Temporary = true;
    });

    // The periodic check makes up for an event without effect; kept, it would stay behind in a queue nobody reads.
    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<TrafficPolicyChangedConsumer> consumerConfigurator,
        IRegistrationContext context) => endpointConfigurator.DiscardFaultedMessages();
}
