namespace MlOps.Gateway.Revisions;

/// <summary>
/// This replica's copy of something the database keeps in revisions: loaded as a whole, and never replaced by an older one.
/// </summary>
internal abstract class RevisedCopy : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1);

    /// <summary>The revision of what is here.</summary>
    public abstract long Revision { get; }

    /// <summary>Loads it unless this revision, or a later one, is here already.</summary>
    public async Task CatchUpAsync(long revision, CancellationToken ct)
    {
        if (Revision >= revision) return;
        await InTurnAsync(() => Revision < revision ? LoadLatestAsync(ct) : Task.CompletedTask, ct);
    }

    /// <summary>Asks the database for its latest revision and catches up with it.</summary>
    public async Task CheckAsync(CancellationToken ct) => await CatchUpAsync(await LatestAsync(ct), ct);

    public void Dispose() => _turn.Dispose();

    /// <summary>Runs alone among the changes to what is here.</summary>
    protected async Task InTurnAsync(Func<Task> change, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            await change();
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The database's latest revision.</summary>
    protected abstract Task<long> LatestAsync(CancellationToken ct);

    /// <summary>Loads what is there now, which is of that revision or a later one.</summary>
    protected abstract Task LoadAsync(long revision, CancellationToken ct);

    // The revision is read first: what is loaded is never older than it claims.
    private async Task LoadLatestAsync(CancellationToken ct) => await LoadAsync(await LatestAsync(ct), ct);
}
