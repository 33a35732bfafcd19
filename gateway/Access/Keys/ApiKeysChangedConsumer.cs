using MassTransit;
using MlOps.Contracts.Events;

namespace MlOps.Gateway.Access.Keys;

/// <summary>Brings this replica up to the revision of the event; one that comes twice or late finds nothing to do.</summary>
internal sealed class ApiKeysChangedConsumer(KeyBook book) : IConsumer<ApiKeysChanged>
{
    public Task Consume(ConsumeContext<ApiKeysChanged> context) =>
        book.CatchUpAsync(context.Message.Revision, context.CancellationToken);
}

/// <summary>A queue of its own for every replica, gone with it: each of them hears every event.</summary>
internal sealed class KeysOnEveryReplica : ConsumerDefinition<ApiKeysChangedConsumer>
{
    public KeysOnEveryReplica() => Endpoint(endpoint =>
    {
        endpoint.InstanceId = NewId.NextGuid().ToString("N");
        endpoint.Temporary = true;
    });

    // The periodic check makes up for an event without effect; kept, it would stay behind in a queue nobody reads.
    protected override void ConfigureConsumer(
        IReceiveEndpointConfigurator endpointConfigurator,
        IConsumerConfigurator<ApiKeysChangedConsumer> consumerConfigurator,
        IRegistrationContext context) => endpointConfigurator.DiscardFaultedMessages();
}
