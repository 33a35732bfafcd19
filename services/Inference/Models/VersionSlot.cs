namespace MlOps.Inference.Models;

/// <summary>The place of one model version: loaded by one caller while the others wait for it.</summary>
internal sealed class VersionSlot(string model, int version)
{
    private static readonly TimeSpan RetryDelay = TimeSpan.FromSeconds(1);
    private readonly Lock _lock = new();
    private Task<LoadedModel>? _loading;
    private volatile LoadedModel? _loaded;
    private long _failedAt;
    private long _askedAt = LoadedModel.Never;
    private int _waiters;

    public string Model { get; } = model;

    public int Version { get; } = version;

    /// <summary>Null until ready.</summary>
    public LoadedModel? Loaded => _loaded;

    /// <summary>Timestamp of the last request that asked for it or used it; <see cref="LoadedModel.Never"/>: nobody did.</summary>
    public long LastUsed => Math.Max(Volatile.Read(ref _askedAt), _loaded?.LastUsed ?? LoadedModel.Never);

    /// <summary>Bytes it takes, by its estimate; 0 when it is not loaded.</summary>
    public long Bytes => _loaded?.Bytes ?? 0;

    /// <summary>Whether a request waits for it, so that it must not go before that has it.</summary>
    public bool IsAwaited => Volatile.Read(ref _waiters) > 0;

    public bool IsLoading => _loading is { IsCompleted: false };

    /// <summary>In the words of the Open Inference Protocol.</summary>
    public string State => Loaded is not null ? "READY" : IsLoading ? "LOADING" : "UNAVAILABLE";

    /// <summary>Why it is not ready; empty when it is, or nobody knows.</summary>
    public string Reason => Loaded is null ? Failure?.Message ?? "" : "";

    /// <summary>Why the latest attempt failed; null when none did.</summary>
    public Exception? Failure { get; private set; }

    /// <summary>A request waits for it, until <see cref="EndWait"/>.</summary>
    public void BeginWait(long now)
    {
        Volatile.Write(ref _askedAt, now);
        Interlocked.Increment(ref _waiters);
    }

    public void EndWait() => Interlocked.Decrement(ref _waiters);

    /// <summary>Joins the load under way or starts one; an attempt that failed less than a second ago is not repeated.</summary>
    /// <param name="load">Makes the version ready.</param>
    /// <param name="settle">Runs with this slot once it is, before any waiter goes on.</param>
    /// <param name="time">The clock of the retry delay.</param>
    public Task<LoadedModel> LoadAsync(Func<Task<LoadedModel>> load, Action<VersionSlot> settle, TimeProvider time)
    {
        lock (_lock)
        {
            if (_loaded is { } loaded) return Task.FromResult(loaded);
            if (IsLoading) return _loading!; // IsLoading says that it is there.
            if (Failure is { } failure && time.GetElapsedTime(_failedAt) < RetryDelay)
            {
                return Task.FromException<LoadedModel>(failure);
            }

            return _loading = LoadOnceAsync(load, settle, time);
        }
    }

    private async Task<LoadedModel> LoadOnceAsync(Func<Task<LoadedModel>> load, Action<VersionSlot> settle, TimeProvider time)
    {
        await Task.Yield();
        try
        {
            var loaded = await load();
            lock (_lock)
            {
                Failure = null;
                _loaded = loaded;
            }

            settle(this);
            return loaded;
        }
        catch (Exception e)
        {
            lock (_lock)
            {
                Failure = e;
                _failedAt = time.GetTimestamp();
            }

            throw;
        }
    }

    /// <summary>Lets go of the loaded version; it is freed after the last request that uses it.</summary>
    public void Retire()
    {
        lock (_lock)
        {
            _loaded?.Release();
            _loaded = null;
        }
    }
}
