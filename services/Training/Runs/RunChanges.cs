namespace MlOps.Training.Runs;

/// <summary>Wakes those who watch runs in this process; changes by other replicas are found by polling.</summary>
internal sealed class RunChanges
{
    private TaskCompletionSource _next = NewSource();

    /// <summary>Ends at the next change of any run. Take it before reading the state that is waited on.</summary>
    internal Task Next => Volatile.Read(ref _next).Task;

    internal void Signal() => Interlocked.Exchange(ref _next, NewSource()).SetResult();

    private static TaskCompletionSource NewSource() => new(TaskCreationOptions.RunContinuationsAsynchronously);
}
