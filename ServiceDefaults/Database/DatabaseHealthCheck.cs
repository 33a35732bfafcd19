using Microsoft.Extensions.Diagnostics.HealthChecks;
using Npgsql;

namespace MlOps.ServiceDefaults.Database;

/// <summary>As bad as it was registered while the database does not answer or lacks migrations, and no worse.</summary>
internal sealed class DatabaseHealthCheck(NpgsqlDataSource source, DatabaseState state) : IHealthCheck
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken)
    {
        try
        {
            // Well below the limit of the whole report: a server that hangs must not count as the service hanging.
            await source.QueryFirstOrDefaultAsync("select 1", [], r => r.GetInt32(0), cancellationToken)
                .WaitAsync(Patience, cancellationToken);
            return state.IsMigrated
                ? HealthCheckResult.Healthy()
                : new HealthCheckResult(context.Registration.FailureStatus, "its migrations are under way");
        }
        catch (Exception failure) when (failure is NpgsqlException or TimeoutException)
        {
            return new HealthCheckResult(context.Registration.FailureStatus, failure.Message);
        }
    }
}
