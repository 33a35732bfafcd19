using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs;

/// <summary>While a partition is scored: tells once a second how far it is, and whether its job has ended from elsewhere.</summary>
internal sealed class PartitionProgress : IAsyncDisposable
{
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1);
    private readonly CancellationTokenSource _stop;
    private readonly Task _telling;
    private int _rowsDone;

    public PartitionProgress(NpgsqlDataSource source, Guid job, int number, TimeProvider time, CancellationToken ct)
    {
        _stop = CancellationTokenSource.CreateLinkedTokenSource(ct);
        _telling = TellAsync(source, job, number, time);
    }

    /// <summary>Cancelled when the job has ended, or the caller's own token is.</summary>
    public CancellationToken Token => _stop.Token;

    /// <summary>True when it was the job that ended.</summary>
    public bool IsJobEnded { get; private set; }

    public void Done(int rows) => Interlocked.Add(ref _rowsDone, rows);

    private async Task TellAsync(NpgsqlDataSource source, Guid job, int number, TimeProvider time)
    {
        using var timer = new PeriodicTimer(Interval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                if (await IsGoingOnAsync(source, job, number)) continue;
                IsJobEnded = true;
                await _stop.CancelAsync();
            }
        }
        catch (OperationCanceledException)
        {
            // The partition is done.
        }
    }

    private async Task<bool> IsGoingOnAsync(NpgsqlDataSource source, Guid job, int number)
    {
        try
        {
            return await source.QueryFirstOrDefaultAsync(
                """
                with told as (
                    update batch_partition set rows_done = least(rows, $3) where job_id = $1 and number = $2 and state = 'running')
                select state from batch_job where job_id = $1
                """,
                [job, number, Volatile.Read(ref _rowsDone)], r => r.GetString(0), _stop.Token) is "running";
        }
        catch (NpgsqlException)
        {
            // Away: no reason to stop; the next look tells.
            return true;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _telling;
        _stop.Dispose();
    }
}
