using System.Collections.Concurrent;
using MassTransit;
using MlOps.TestServers;

namespace MlOps.Registry.Tests;

/// <summary>Hears every event of one kind that services with this bus prefix publish, from the moment it was started.</summary>
internal sealed class EventListener<TEvent>(IBusControl bus) : IAsyncDisposable
    where TEvent : class
{
    private readonly ConcurrentQueue<(Guid? Id, TEvent Event)> _heard = new();

    public IReadOnlyCollection<(Guid? Id, TEvent Event)> Heard => _heard;

    public static async Task<EventListener<TEvent>> StartAsync(string prefix)
    {
        EventListener<TEvent>? listener = null;
        var bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            rabbit.Host(new Uri(Servers.RabbitMq));
            rabbit.MessageTopology.SetEntityNameFormatter(
                new PrefixEntityNameFormatter(rabbit.MessageTopology.EntityNameFormatter, prefix));
            rabbit.ReceiveEndpoint($"{prefix}listener-{Guid.NewGuid():N}", endpoint =>
            {
                endpoint.AutoDelete = true;
                endpoint.Durable = false;
                endpoint.Handler<TEvent>(context =>
                {
                    // Set before the bus starts.
                    listener!._heard.Enqueue((context.MessageId, context.Message));
                    return Task.CompletedTask;
                });
            });
        });
        listener = new EventListener<TEvent>(bus);
        await bus.StartAsync(TimeSpan.FromSeconds(30));
        return listener;
    }

    public async ValueTask DisposeAsync() => await bus.StopAsync(TimeSpan.FromSeconds(30));
}
