namespace MlOps.ServiceDefaults;

/// <summary>Whether the service's database holds every migration, which it does from then on.</summary>
public sealed class DatabaseState
{
    private readonly TaskCompletionSource _migrated = new(TaskCreationOptions.RunContinuationsAsynchronously);

    public bool IsMigrated => _migrated.Task.IsCompleted;

    /// <summary>Ends when the migrations are there.</summary>
    public Task WaitUntilMigratedAsync(CancellationToken ct) => _migrated.Task.WaitAsync(ct);

    internal void Migrated() => _migrated.TrySetResult();
}
