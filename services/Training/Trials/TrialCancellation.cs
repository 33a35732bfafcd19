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
                if (await IsGoingOnAsync(source, trainingRun)) continue;
                IsRunEnded = true;
                await _stop.CancelAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // The trial is over.
        }
    }

    private async Task<bool> IsGoingOnAsync(NpgsqlDataSource source, Guid trainingRun)
    {
        try
        {
            return await source.QueryFirstOrDefaultAsync(
                "select state from training_runs where id = $1", [trainingRun], row => row.GetString(0), _stop.Token)
                is "queued" or "running";
        }
        catch (NpgsqlException)
        {
            // Away: no reason to stop training; the next look tells.
            return true;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _watching;
        _stop.Dispose();
    }
}
