using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Training.Trials;

/// <summary>Watches, while a trial runs, whether its training run was ended from elsewhere.</summary>
internal sealed class TrialCancellation : IAsyncDisposable
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);

    private readonly CancellationTokenSource _stop;
    private readonly Task _watching;

    internal TrialCancellation(NpgsqlDataSource source, Guid trainingRun, TimeProvider time, CancellationToken ct)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        _watching = WatchAsync(source, trainingRun, time);
    }

    /// <summary>Cancelled when the run has ended, or the caller's own token is.</summary>
    internal CancellationToken Token => _stop.Token;

    /// <summary>True when it was the run that ended.</summary>
    internal bool IsRunEnded { get; private set; }

    private async Task WatchAsync(NpgsqlDataSource source, Guid trainingRun, TimeProvider time)
    {
        using var timer = new PeriodicTimer(PollInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                var state = await source.QueryFirstOrDefaultAsync(
                    "select state from training_runs where id = $1", [trainingRun], row => row.GetString(0), _stop.Token);
                if (state is "queued" or "running") continue;
                IsRunEnded = true;
                await _stop.CancelAsync();
            }
        }
        catch (Exception e) when (e is OperationCanceledException or NpgsqlException)
        {
            // Cancelled: the trial is over. Database away: the trial goes on and finds out when it stores its result.
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watching;
        _stop.Dispose();
    }
}
