using Microsoft.Extensions.Options;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Access.Keys;

/// <summary>Writes down when keys were last used, all of them in one statement now and then, and once more at the end.</summary>
internal sealed partial class LastUsedWriter(
    LastUsed lastUsed, NpgsqlDataSource source, IOptions<AccessOptions> options, TimeProvider time, ILogger<LastUsedWriter> logger)
    : BackgroundService
{
    private static readonly TimeSpan LastWrite = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.LastUsedInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken)) await WriteAsync(stoppingToken);
        }
        finally
        {
            using var soon = new CancellationTokenSource(LastWrite, time);
            await WriteAsync(soon.Token);
        }
    }

    private async Task WriteAsync(CancellationToken ct)
    {
        var used = lastUsed.TakeNew();
        if (used.Count == 0) return;
        try
        {
            // Replicas write in any order: the latest use stays.
            await source.ExecuteAsync(
                """
                update api_key set last_used_at = greatest(last_used_at, used.at)
                from unnest($1::text[], $2::timestamptz[]) as used (id, at) where api_key.id = used.id
                """,
                [used.Select(u => u.Id).ToArray(), used.Select(u => u.At).ToArray()], ct);
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
        {
            LogNotWritten(used.Count, e.Message);
        }
    }

    [LoggerMessage(Level = LogLevel.Debug, Message = "The last use of {Count} keys was not written: {Reason}")]
    private partial void LogNotWritten(int count, string reason);
}
