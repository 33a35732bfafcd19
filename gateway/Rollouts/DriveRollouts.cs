using System.Collections.Concurrent;
using Microsoft.Extensions.Options;
using MlOps.Gateway.Rollouts.Observations;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Rollouts;

/// <summary>
/// Has every rollout looked at by one replica at a time: it holds a lease that it renews with every look, and when it dies another one
/// takes the lease over. Should two look at once all the same, the stamp of the row lets one of them change it.
/// </summary>
internal sealed partial class DriveRollouts(
    NpgsqlDataSource source, AdvanceRollout advance, OutcomeBook replica, IOptions<RolloutOptions> options, TimeProvider time,
    ILogger<DriveRollouts> logger) : BackgroundService
{
    private readonly ConcurrentDictionary<Guid, Task> _looks = [];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.LookInterval, time);
        var isAway = false;
        while (await WaitAsync(timer, stoppingToken))
        {
            try
            {
                foreach (var rollout in await TakeAsync(stoppingToken))
                {
                    // One that asks a slow hook does not keep the others from being looked at.
                    if (_looks.TryGetValue(rollout.Id, out var look) && !look.IsCompleted) continue;
                    _looks[rollout.Id] = LookAsync(rollout, stoppingToken);
                }

                foreach (var (id, look) in _looks)
                {
                    if (look.IsCompleted) _looks.TryRemove(id, out _);
                }

                isAway = false;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                if (!isAway) LogAway(e.Message);
                isAway = true;
            }
        }

        await Task.WhenAll(_looks.Values);
    }

    /// <summary>An orderly end hands the rollouts on at once.</summary>
    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        try
        {
            await source.ExecuteAsync(
                "update rollout set driven_until = null where driver = $1", [replica.Replica], cancellationToken);
        }
        catch (Exception e) when (e is NpgsqlException or OperationCanceledException)
        {
            LogAway(e.Message);
        }
    }

    private Task<List<Rollout>> TakeAsync(CancellationToken ct) => source.QueryAsync(
        $"""
        update rollout set driver = $1, driven_until = now() + $2
        where rollout_id in (
            select rollout_id from rollout
            where {RolloutRows.NotOver} and (driver = $1 or driven_until is null or driven_until < now())
            order by created_at for update skip locked)
        returning {RolloutRows.Columns}
        """,
        [replica.Replica, options.Value.Lease], RolloutRows.Read, ct);

    private async Task LookAsync(Rollout rollout, CancellationToken ct)
    {
        await Task.Yield();
        try
        {
            await advance.RunAsync(rollout, ct);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            // Something is away; the next look finds the rollout as this one left it.
            LogStuck(rollout.Model, rollout.Version, rollout.Phase, e.Message);
        }
        catch (OperationCanceledException)
        {
        }
    }

    private static async Task<bool> WaitAsync(PeriodicTimer timer, CancellationToken ct)
    {
        try
        {
            return await timer.WaitForNextTickAsync(ct);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Rollouts cannot be looked at for now: {Reason}")]
    private partial void LogAway(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The rollout of {Model} {Version} stays {Phase} for now: {Reason}")]
    private partial void LogStuck(string model, int version, string phase, string reason);
}
