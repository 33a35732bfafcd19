using System.Data;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace MlOps.ServiceDefaults.Database;

/// <summary>
/// Sees to it that the database exists and holds every numbered migration exactly once, whichever replica comes first;
/// as a hosted service, before anything else starts.
/// </summary>
internal sealed partial class MigrationRunner(
    NpgsqlDataSource source, MigrationScripts scripts, DatabaseState state, TimeProvider time, ILogger<MigrationRunner> logger)
    : IHostedLifecycleService
{
    // "MLOPS" as a number: one key for all services, since each has a database of its own.
    private const long AdvisoryLockKey = 0x4D4C4F5053;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    public Task StartingAsync(CancellationToken cancellationToken) => RunAsync(Patience, cancellationToken);

    /// <summary>Migrates, waiting at most this long for a database that is away.</summary>
    public async Task RunAsync(TimeSpan patience, CancellationToken ct)
    {
        var start = time.GetTimestamp();
        for (var pause = TimeSpan.FromMilliseconds(100); ; pause = Min(pause * 2, TimeSpan.FromSeconds(5)))
        {
            try
            {
                await CreateDatabaseAsync(ct);
                await MigrateAsync(ct);
                state.Migrated();
                return;
            }
            catch (NpgsqlException e) when (
                IsAway(e) && (patience == Timeout.InfiniteTimeSpan || time.GetElapsedTime(start) < patience))
            {
                LogWaiting(pause.TotalSeconds, e.Message);
                await Task.Delay(pause, time, ct);
            }
        }
    }

    private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;

    // 57P03: the server is starting up; anything without an SQL state never reached it.
    private static bool IsAway(NpgsqlException e) => e is not PostgresException || e.SqlState is "57P03" or "57P01";

    private async Task CreateDatabaseAsync(CancellationToken ct)
    {
        var target = new NpgsqlConnectionStringBuilder(source.ConnectionString);
        var name = target.Database ?? throw new InvalidOperationException("The connection string names no database.");
        // The data source hides the password of its connection string; a connection of its own keeps it.
        await using var probe = source.CreateConnection();
        var maintenance = probe.CloneWith(
            new NpgsqlConnectionStringBuilder(probe.ConnectionString) { Database = "postgres", Pooling = false }.ConnectionString);
        await using (maintenance)
        {
            await maintenance.OpenAsync(ct);
            var exists = await maintenance.QueryAsync(
                "select 1 from pg_database where datname = $1", [name], r => r.GetInt32(0), ct);
            if (exists.Count > 0) return;
            try
            {
                var quoted = new NpgsqlCommandBuilder().QuoteIdentifier(name);
                await maintenance.ExecuteAsync($"create database {quoted}", [], ct);
                LogCreated(name);
            }
            catch (PostgresException e) when (e.SqlState is PostgresErrorCodes.DuplicateDatabase or PostgresErrorCodes.UniqueViolation)
            {
                // Another replica was quicker.
            }
        }
    }

    private async Task MigrateAsync(CancellationToken ct)
    {
        await using var connection = await source.OpenConnectionAsync(ct);
        await connection.ExecuteAsync("select pg_advisory_lock($1)", [AdvisoryLockKey], ct);
        try
        {
            await connection.ExecuteAsync(
                """
                create table if not exists schema_migration (
                    name text primary key,
                    applied_at timestamptz not null default now()
                )
                """,
                [], ct);
            var applied = await connection.QueryAsync("select name from schema_migration", [], r => r.GetString(0), ct);
            foreach (var (name, sql) in scripts.All().Where(s => !applied.Contains(s.Name)))
            {
                await using var transaction = await connection.BeginTransactionAsync(ct);
                await transaction.ExecuteAsync(sql, [], ct);
                await transaction.ExecuteAsync("insert into schema_migration (name) values ($1)", [name], ct);
                await transaction.CommitAsync(ct);
                LogApplied(name);
            }
        }
        finally
        {
            // A connection that broke has lost the lock with it.
            if (connection.State == ConnectionState.Open)
                await connection.ExecuteAsync("select pg_advisory_unlock($1)", [AdvisoryLockKey], CancellationToken.None);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    [LoggerMessage(Level = LogLevel.Warning, Message = "PostgreSQL is not ready, trying again in {Seconds:0.0} s: {Reason}")]
    private partial void LogWaiting(double seconds, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Created database {Database}")]
    private partial void LogCreated(string database);

    [LoggerMessage(Level = LogLevel.Information, Message = "Applied migration {Migration}")]
    private partial void LogApplied(string migration);
}
