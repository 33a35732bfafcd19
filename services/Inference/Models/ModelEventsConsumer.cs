using MassTransit;
using MlOps.Contracts.Events;

namespace MlOps.Inference.Models;

/// <summary>Every replica hears that versions or aliases changed; the registry is then asked, so order does not matter.</summary>
internal sealed class ModelEventsConsumer(ModelSync sync) : IConsumer<ModelVersionRegistered>, IConsumer<ModelAliasMoved>
{
    public Task Consume(ConsumeContext<ModelVersionRegistered> context) => WakeAsync();

    public Task Consume(ConsumeContext<ModelAliasMoved> context) => WakeAsync();

    private Task WakeAsync()
    {
        sync.Wake();
        return Task.CompletedTask;
    }
}
