using Microsoft.Extensions.Options;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Experiments;

/// <summary>
/// Has every running experiment looked at once in an interval, by whichever replica is first. A replica that dies misses one look;
/// any other takes the next.
/// </summary>
internal sealed partial class WatchExperiments(
    NpgsqlDataSource source, ActOnExperiment act, IOptions<ExperimentOptions> options, TimeProvider time,
    ILogger<WatchExperiments> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.Value.LookInterval, time);
        var isAway = false;
        while (await WaitAsync(timer, stoppingToken))
        {
            try
            {
                foreach (var name in await TakeAsync(stoppingToken)) await LookAsync(name, stoppingToken);
                isAway = false;
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                if (!isAway) LogAway(e.Message);
                isAway = true;
            }
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

    // Half an interval, so that a tick that comes a little early is not lost.
    private Task<List<string>> TakeAsync(CancellationToken ct) => source.QueryAsync(
        """
        update experiment set looked_at = $1
        where name in (
            select name from experiment
            where state = 'running' and (looked_at is null or looked_at <= $1 - $2::interval / 2)
            for update skip locked)
        returning name
        """,
        [time.GetUtcNow(), options.Value.LookInterval], r => r.GetString(0), ct);

    private async Task LookAsync(string name, CancellationToken ct)
    {
        try
        {
            await act.RunAsync(name, ct);
        }
        catch (DomainException e)
        {
            // Somebody changed it meanwhile, or what it needs is taken; the next look finds it as it then is.
            LogNotEnded(name, e.Message);
        }
        catch (Grpc.Core.RpcException e)
        {
            LogNotEnded(name, e.Status.Detail);
        }
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Experiments cannot be looked at: {Reason}")]
    private partial void LogAway(string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Experiment {Name} is not acted on in this look: {Reason}")]
    private partial void LogNotEnded(string name, string reason);
}
