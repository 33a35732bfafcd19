using System.Runtime.CompilerServices;
using MlOps.Contracts.Inference.V1;

namespace MlOps.Inference.BatchJobs;

/// <summary>
/// The job now and after every change, until it has ended; changes made by other replicas show within a second, and every
/// ten seconds it is shown anyway, so that nobody between takes the stream for dead.
/// </summary>
internal sealed class WatchBatchJob(BatchJobRows jobs, BatchChanges changes, TimeProvider time)
{
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan LongestSilence = TimeSpan.FromSeconds(10);

    /// <exception cref="ServiceDefaults.NotFoundException">BATCH_JOB_UNKNOWN.</exception>
    public async IAsyncEnumerable<BatchJob> HandleAsync(string id, [EnumeratorCancellation] CancellationToken ct)
    {
        BatchJob? shown = null;
        var shownAt = 0L;
        while (true)
        {
            var next = changes.Next;
            var job = await jobs.GetAsync(id, ct);
            if (shown is null || HasChanged(shown, job) || time.GetElapsedTime(shownAt) >= LongestSilence)
            {
                yield return shown = job;
                shownAt = time.GetTimestamp();
            }

            if (job.FinishedAtMicros > 0) yield break;
            await Task.WhenAny(next, Task.Delay(PollInterval, time, ct));
            ct.ThrowIfCancellationRequested();
        }
    }

    // The rate falls while nothing happens, which is no change.
    private static bool HasChanged(BatchJob shown, BatchJob job) =>
        shown.State != job.State || shown.RowsDone != job.RowsDone || shown.PartitionsScored != job.PartitionsScored;
}
