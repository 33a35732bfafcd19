using Microsoft.Extensions.Options;

namespace MlOps.Gateway.Splits;

/// <summary>
/// Has the policies loaded before the first request, and looks for changes whose event was lost. While PostgreSQL is away
/// the last policies stay in force.
/// </summary>
internal sealed partial class PolicyRefresh(
    PolicyBook book, IOptions<GatewayOptions> options, TimeProvider time, ILogger<PolicyRefresh> logger)
    : BackgroundService, IHostedLifecycleService
{
    // After the migrations, which are registered first, and before the server listens.
    public Task StartingAsync(CancellationToken cancellationToken) => book.CheckAsync(cancellationToken);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.PolicyCheckInterval, time);
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
                // Whatever it is, a gateway that goes on by its last policies beats one that stops.
                if (!isAway) LogServingLast(book.Current.Revision, e.Message);
                isAway = true;
            }
        }
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "Traffic policies cannot be checked; revision {Revision} stays in force: {Reason}")]
    private partial void LogServingLast(long revision, string reason);
}
