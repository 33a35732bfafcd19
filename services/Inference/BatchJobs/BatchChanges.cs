namespace MlOps.Inference.BatchJobs;

/// <summary>Wakes those who watch jobs in this process; changes by other replicas are found by polling.</summary>
internal sealed class BatchChanges
{
    private TaskCompletionSource _next = NewSource();

    /// <summary>Ends at the next change of any job. Take it before reading the state that is waited on.</summary>
    public Task Next => Volatile.Read(ref _next).Task;

    public void Signal() => Interlocked.Exchange(ref _next, NewSource()).SetResult();

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
