namespace MlOps.Gateway.Revisions;

/// <summary>
/// Has a copy loaded before the first request, and looks for changes whose event was lost. While PostgreSQL is away the last
/// copy stays in force: a gateway that goes on by it beats one that stops.
/// </summary>
/// <typeparam name="TCopy">The copy.</typeparam>
/// <param name="copy">What is kept fresh.</param>
/// <param name="what">Its content, for people: traffic policies.</param>
/// <param name="interval">Between looks.</param>
/// <param name="time">The clock.</param>
/// <param name="logger">Of the derived class.</param>
internal abstract partial class RefreshCopy<TCopy>(TCopy copy, string what, TimeSpan interval, TimeProvider time, ILogger logger)
    : BackgroundService, IHostedLifecycleService
    where TCopy : RevisedCopy
{
    protected TCopy Copy => copy;

    protected TimeProvider Time => time;

    // After the migrations, which are registered first, and before the server listens.
    public virtual Task StartingAsync(CancellationToken cancellationToken) => copy.CheckAsync(cancellationToken);

    protected sealed override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(interval, time);
        var isAway = false;
        while (await timer.WaitForNextTickAsync(stoppingToken))
        {
            try
            {
                await copy.CheckAsync(stoppingToken);
                isAway = false;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                if (!isAway) LogServingLast(logger, what, copy.Revision, e.Message);
                isAway = true;
            }
        }
    }

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Warning, Message = "The {What} cannot be checked; revision {Revision} stays in force: {Reason}")]
    private static partial void LogServingLast(ILogger logger, string what, long revision, string reason);
}
