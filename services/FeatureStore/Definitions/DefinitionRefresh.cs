namespace MlOps.FeatureStore.Definitions;

/// <summary>Brings definitions that other replicas applied into this one's memory.</summary>
internal sealed partial class DefinitionRefresh(
    DefinitionCatalog catalog, TimeProvider clock, ILogger<DefinitionRefresh> logger) : BackgroundService
{
    public static readonly TimeSpan Interval = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(Interval, clock);
        do
        {
            try
            {
                await catalog.RefreshAsync(stoppingToken);
            }
            catch (Exception failure) when (failure is not OperationCanceledException)
            {
                // The next tick is the retry; until then the known definitions serve.
                LogDefinitionsNotRefreshed(logger, failure);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    [LoggerMessage(LogLevel.Warning, "Feature definitions could not be refreshed")]
    private static partial void LogDefinitionsNotRefreshed(ILogger logger, Exception failure);
}
