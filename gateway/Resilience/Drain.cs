using Microsoft.Extensions.Options;

namespace MlOps.Gateway.Resilience;

/// <summary>
/// Going away without hurting anybody: first this replica says that it takes no more requests (<c>/readyz</c>) and
/// goes on serving for <c>Gateway:DrainDelay</c>, so that who sends them here looks elsewhere; then it takes no new connections
/// and ends what is in flight, for <c>Gateway:DrainTimeout</c> at most.
/// </summary>
internal sealed class Drain(IOptions<GatewayOptions> options, TimeProvider time) : IHostedLifecycleService
{
    private volatile bool _isDraining;

    public bool IsDraining => _isDraining;

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _isDraining = true;
        if (options.Value.DrainDelay <= TimeSpan.Zero) return;
        try
        {
            await Task.Delay(options.Value.DrainDelay, time, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // Whoever stops it waits no longer.
        }
    }

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
