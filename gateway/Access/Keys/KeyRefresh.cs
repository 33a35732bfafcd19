using Microsoft.Extensions.Options;

namespace MlOps.Gateway.Access.Keys;

/// <summary>
/// Has the keys loaded before the first request, and looks for changes whose event was lost. While PostgreSQL is away the
/// last known keys stay as they are, and go on expiring.
/// </summary>
internal sealed partial class KeyRefresh(
    KeyBook book, IOptions<AccessOptions> options, TimeProvider time, ILogger<KeyRefresh> logger)
    : BackgroundService, IHostedLifecycleService
{
    // After the migrations, which are registered first, and before the server listens.
    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        book.AddConfigured();
        await book.CheckAsync(cancellationToken);
        if (options.Value is { Mode: AccessMode.Closed, Oidc.IsConfigured: false } && !book.Current.AnyActive(time.GetUtcNow()))
        {
            throw new InvalidOperationException(
                "Access:Mode is Closed and there is no key to get in with. Set Access__AdminKey to one (docs/access.md says how to make it), or Access__Oidc__Issuer to whose tokens are taken.");
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.KeyCheckInterval, time);
        var isAway = false;
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await book.CheckAsync(stoppingToken);
                isAway = false;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                // Whatever it is, a door that goes on by its last keys beats one that is shut.
                if (!isAway) LogServingLast(book.Current.Revision, e.Message);
                isAway = true;
            }
        }
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Warning, Message = "Keys cannot be checked; those of revision {Revision} stay: {Reason}")]
    private partial void LogServingLast(long revision, string reason);
}
