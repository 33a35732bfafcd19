using Microsoft.Extensions.Hosting;

namespace MlOps.ServiceDefaults.Database;

/// <summary>Migrates beside the running service, as soon as the database is there, however late. A migration that fails stops the service.</summary>
internal sealed class LateMigrations(MigrationRunner migrations) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.Yield();
        await migrations.RunAsync(Timeout.InfiniteTimeSpan, stoppingToken);
    }
}
