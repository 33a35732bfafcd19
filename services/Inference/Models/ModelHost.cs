using System.Collections.Concurrent;
using System.Globalization;
using Grpc.Core;
using Microsoft.Extensions.Options;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Models;

/// <summary>
/// Finds the loaded model for a request. An alias moves only when its new version is ready, so that a swap costs no
/// request; a version nobody asked for before is loaded while the request waits.
/// </summary>
internal sealed partial class ModelHost(
    ModelCatalogue catalogue, ModelLoader loader, IOptions<InferenceOptions> options, TimeProvider time,
    ILogger<ModelHost> logger) : IDisposable
{
    private readonly ConcurrentDictionary<(string Model, int Version), VersionSlot> _slots = [];
    private readonly ConcurrentDictionary<(string Model, int Version), bool> _notAhead = [];
    private readonly UnloadedVersions _unloaded = new();
    private readonly CancellationTokenSource _stopping = new();
    private readonly Lock _bounding = new();

    /// <summary>The registry answered at least once, and its models were loaded or refused with a reason.</summary>
    public bool IsReady { get; private set; }

    /// <summary>Why the registry's latest answer failed to come; null: it answers.</summary>
    public string? RegistryFailure => catalogue.Failure;

    public IEnumerable<string> Models => catalogue.Served.Keys.Order(StringComparer.Ordinal);

    public IEnumerable<VersionSlot> Slots =>
        _slots.Values.OrderBy(s => s.Model, StringComparer.Ordinal).ThenBy(s => s.Version);

    public IReadOnlyList<string> LoadedVersions(string model) =>
        [.. Slots.Where(s => s.Model == model && s.Loaded is not null).Select(s => s.Version.ToString(CultureInfo.InvariantCulture))];

    /// <exception cref="NotFoundException">MODEL_NOT_FOUND, MODEL_VERSION_NOT_FOUND.</exception>
    /// <exception cref="RpcException">Unavailable: the version cannot be served now.</exception>
    public async ValueTask<ModelLease> AcquireAsync(string model, string selector, CancellationToken ct)
    {
        while (true)
        {
            var version = await catalogue.FindAsync(model, selector, IsLoaded, ct);
            if (_slots.TryGetValue((model, version), out var slot) && TryLease(slot.Loaded) is { } lease) return lease;
            if (await LoadForRequestAsync(model, version, ct) is { } fresh) return fresh;
        }
    }

    /// <summary>Whether the version a selector means is loaded.</summary>
    /// <exception cref="NotFoundException">MODEL_NOT_FOUND, MODEL_VERSION_NOT_FOUND.</exception>
    public async Task<bool> IsLoadedAsync(string model, string selector, CancellationToken ct) =>
        IsLoaded(model, await FindAsync(model, selector, ct));

    /// <summary>The loaded version a selector means; every loaded one when it is empty.</summary>
    /// <exception cref="NotFoundException">MODEL_NOT_FOUND, MODEL_VERSION_NOT_FOUND.</exception>
    /// <exception cref="RpcException">Unavailable: the version is not loaded.</exception>
    public async Task<IReadOnlyList<LoadedModel>> LoadedAsync(string model, string selector, CancellationToken ct)
    {
        if (model.Length == 0) return [.. Slots.Select(s => s.Loaded).OfType<LoadedModel>()];
        var version = await FindAsync(model, selector, ct);
        if (selector.Length == 0) return [.. Slots.Where(s => s.Model == model).Select(s => s.Loaded).OfType<LoadedModel>()];
        return _slots.TryGetValue((model, version), out var slot) && slot.Loaded is { } loaded
            ? [loaded]
            : throw ModelUnavailable.Because("MODEL_NOT_READY", $"Model '{model}' version {version} is not loaded.");
    }

    /// <summary>Every version of the registry that an alias points to, the newest ones, and whatever else was asked for.</summary>
    public IEnumerable<VersionState> Index()
    {
        // Looked at once: a version unloaded meanwhile must not be in it twice.
        var slots = _slots.ToArray();
        var known = slots.Select(s => s.Key).ToHashSet();
        return slots
            .Select(s => new VersionState(s.Value.Model, s.Value.Version, s.Value.State, s.Value.Reason))
            .Concat(catalogue.Wanted
                .SelectMany(m => m.Value.Versions.Select(version => (Model: m.Key, Version: version)))
                .Where(v => !known.Contains(v))
                .Select(v => new VersionState(
                    v.Model, v.Version, "UNAVAILABLE", _unloaded.Has(v.Model, v.Version) ? "unloaded" : "not loaded")))
            .OrderBy(s => s.Model, StringComparer.Ordinal).ThenBy(s => s.Version);
    }

    /// <summary>Loads a version, after an unload too.</summary>
    /// <param name="model">Name.</param>
    /// <param name="selector">Number or alias; empty: all that is served of the model.</param>
    /// <param name="ct">The caller gave up; loads go on.</param>
    /// <exception cref="NotFoundException">MODEL_NOT_FOUND, MODEL_VERSION_NOT_FOUND.</exception>
    /// <exception cref="RpcException">Unavailable: a version cannot be loaded, or the registry is away.</exception>
    public async Task LoadModelAsync(string model, string selector, CancellationToken ct)
    {
        var version = await FindAsync(model, selector, ct);
        if (selector.Length > 0)
        {
            _unloaded.Remove(model, version);
            (await LoadForRequestAsync(model, version, ct))?.Dispose();
            return;
        }

        await catalogue.RefreshAsync(IsLoaded, ct);
        _unloaded.Remove(model, null);
        if (!catalogue.Wanted.TryGetValue(model, out var routes)) return;
        foreach (var served in routes.Versions) (await LoadForRequestAsync(model, served, ct))?.Dispose();
    }

    /// <summary>Lets go of a version; requests for it are refused until it is loaded again.</summary>
    /// <param name="model">Name.</param>
    /// <param name="selector">Number or alias, of which the version it means now goes; empty: all of the model, those to come too.</param>
    /// <param name="ct">The caller gave up.</param>
    /// <exception cref="NotFoundException">MODEL_NOT_FOUND, MODEL_VERSION_NOT_FOUND.</exception>
    public async Task UnloadModelAsync(string model, string selector, CancellationToken ct)
    {
        var version = await FindAsync(model, selector, ct);
        _unloaded.Add(model, selector.Length > 0 ? version : null);
        _notAhead.Clear();
        foreach (var slot in _slots.Values.Where(s => s.Model == model && _unloaded.Has(model, s.Version))) Unload(slot, "asked for");
    }

    private async Task<int> FindAsync(string model, string selector, CancellationToken ct)
    {
        var version = await catalogue.FindAsync(model, selector, IsLoaded, ct);
        if (catalogue.Served.GetValueOrDefault(model) is { } routes && version > routes.Latest && !IsLoaded(model, version))
        {
            await catalogue.RefreshAsync(IsLoaded, ct);
            if (version > catalogue.Wanted.GetValueOrDefault(model)?.Latest) throw NoSuchVersion(model, version);
        }

        return version;
    }

    public Task RefreshAsync(CancellationToken ct) => catalogue.RefreshAsync(IsLoaded, ct);

    /// <summary>Bytes the loaded versions take, by the estimate of each.</summary>
    public long LoadedBytes => _slots.Values.Sum(s => s.Bytes);

    /// <summary>Loads what aliases point to, then each model's newest version as far as there is room.</summary>
    /// <returns>False when a version could not be loaded.</returns>
    public async Task<bool> LoadWantedAsync(CancellationToken ct)
    {
        var failed = 0;
        foreach (var (model, version) in _notAhead.Keys.Where(v => catalogue.Wanted.GetValueOrDefault(v.Model)?.Latest != v.Version))
        {
            _notAhead.TryRemove((model, version), out _);
        }

        await Task.WhenAll(Wanted().Select(async wanted =>
        {
            try
            {
                await LoadAsync(SlotOf(wanted.Model, wanted.Version)).WaitAsync(ct);
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                LogLoadFailed(wanted.Model, wanted.Version, e.Message);
                Interlocked.Increment(ref failed);
            }
        }));
        IsReady = true;
        return failed == 0;
    }

    /// <summary>Versions that should be loaded and are not, each with the reason known.</summary>
    public IReadOnlyList<(string Model, int Version, string Reason)> Missing() =>
    [
        .. Wanted().Where(w => !IsLoaded(w.Model, w.Version)).Select(w => (
            w.Model, w.Version,
            _slots.TryGetValue((w.Model, w.Version), out var slot) && slot.Failure is { } e ? e.Message : "loading")),
    ];

    // What must be loaded, then each model's newest as far as there is room: nothing is unloaded for what nobody asked for.
    private HashSet<(string Model, int Version)> Wanted()
    {
        var wanted = Required();
        var taken = _slots.Values.Where(s => s.Loaded is not null || s.IsLoading).Select(s => (s.Model, s.Version)).ToHashSet();
        taken.UnionWith(wanted);
        if (options.Value.MemoryBudget is > 0 and var budget && LoadedBytes >= budget) return wanted;
        foreach (var (model, routes) in catalogue.Wanted.OrderBy(m => m.Key, StringComparer.Ordinal))
        {
            if (_unloaded.Has(model, routes.Latest) || taken.Contains((model, routes.Latest)) || _notAhead.ContainsKey((model, routes.Latest))) continue;
            if (taken.Count >= options.Value.MaxLoadedVersions) break;
            taken.Add((model, routes.Latest));
            wanted.Add((model, routes.Latest));
        }

        return wanted;
    }

    // What aliases point to and, where an older one still answers as the newest, the one that is to take its place.
    private HashSet<(string Model, int Version)> Required()
    {
        var required = new HashSet<(string, int)>();
        var served = catalogue.Served;
        foreach (var (model, routes) in catalogue.Wanted)
        {
            foreach (var version in routes.Aliases.Values) required.Add((model, version));
            if (served.TryGetValue(model, out var now) && now.Latest != routes.Latest) required.Add((model, routes.Latest));
        }

        required.RemoveWhere(wanted => _unloaded.Has(wanted.Item1, wanted.Item2));
        return required;
    }

    private bool IsLoaded(string model, int version) =>
        _slots.TryGetValue((model, version), out var slot) && slot.Loaded is not null;

    private ModelLease? TryLease(LoadedModel? loaded) =>
        loaded is not null && loaded.TryLease(time.GetTimestamp()) ? new ModelLease(loaded) : null;

    private async Task<ModelLease?> LoadForRequestAsync(string model, int version, CancellationToken ct)
    {
        if (_unloaded.Has(model, version))
        {
            throw ModelUnavailable.Because("MODEL_UNLOADED", $"Model '{model}' version {version} is unloaded; load it to have it served again.");
        }

        if (catalogue.Failure is { } failure && version > catalogue.Wanted.GetValueOrDefault(model)?.Latest)
        {
            throw ModelUnavailable.Because(
                "REGISTRY_UNAVAILABLE", $"Model '{model}' version {version} is not known here and the registry is away: {failure}");
        }

        var slot = SlotOf(model, version);
        slot.BeginWait(time.GetTimestamp());
        try
        {
            return TryLease(await LoadAsync(slot).WaitAsync(options.Value.LoadTimeout, time, ct));
        }
        catch (RpcException e) when (e.StatusCode == StatusCode.NotFound)
        {
            throw NoSuchVersion(model, version);
        }
        catch (Exception e) when (!ct.IsCancellationRequested)
        {
            var why = e is TimeoutException ? "it is still loading" : e is RpcException rpc ? rpc.Status.Detail : e.Message;
            throw ModelUnavailable.Because("MODEL_NOT_READY", $"Model '{model}' version {version} is not ready: {why}");
        }
        finally
        {
            slot.EndWait();
        }
    }

    private VersionSlot SlotOf(string model, int version) =>
        _slots.GetOrAdd((model, version), static key => new VersionSlot(key.Model, key.Version));

    // The load outlives the request that asked for it: others wait for the same one.
    private Task<LoadedModel> LoadAsync(VersionSlot slot) =>
        slot.LoadAsync(() => LoadOrForgetAsync(slot.Model, slot.Version), Settle, time);

    // Callers invent versions. Only what the registry has keeps its place, with the reason why it cannot be served.
    private async Task<LoadedModel> LoadOrForgetAsync(string model, int version)
    {
        try
        {
            return await loader.LoadAsync(model, version, _stopping.Token);
        }
        catch (RpcException) when (catalogue.Wanted.GetValueOrDefault(model)?.Versions.Contains(version) != true)
        {
            _slots.TryRemove((model, version), out _);
            throw;
        }
    }

    // Moves aliases to the version that became ready and unloads the longest unused beyond the bound, never used ones first.
    private void Settle(VersionSlot ready)
    {
        if (_unloaded.Has(ready.Model, ready.Version))
        {
            Unload(ready, "asked for");
            return;
        }

        catalogue.Route(IsLoaded);
        lock (_bounding) UnloadSurplus();
    }

    private void UnloadSurplus()
    {
        var loaded = _slots.Values.Where(s => s.Loaded is not null).ToList();
        var (count, bytes) = (loaded.Count, loaded.Sum(s => s.Bytes));
        if (!IsSurplus(count, bytes)) return;
        var kept = Required();
        foreach (var (model, routes) in catalogue.Served)
        {
            kept.UnionWith(routes.Aliases.Values.Select(version => (model, version)));
            // An older one that answers until the newest is ready.
            if (catalogue.Wanted.GetValueOrDefault(model)?.Latest != routes.Latest) kept.Add((model, routes.Latest));
        }

        foreach (var slot in loaded.Where(s => !s.IsAwaited && !kept.Contains((s.Model, s.Version))).OrderBy(s => s.LastUsed))
        {
            if (!IsSurplus(count, bytes)) return;
            (count, bytes) = (count - 1, bytes - slot.Bytes);
            // Loaded ahead where there was no room after all: not again, or each round would.
            if (slot.LastUsed == LoadedModel.Never) _notAhead[(slot.Model, slot.Version)] = true;
            Unload(slot, "longest unused");
        }
    }

    private bool IsSurplus(int count, long bytes) =>
        count > options.Value.MaxLoadedVersions || (options.Value.MemoryBudget is > 0 and var budget && bytes > budget);

    private void Unload(VersionSlot slot, string reason)
    {
        if (!_slots.TryRemove(KeyValuePair.Create((slot.Model, slot.Version), slot)) && slot.Loaded is null) return;
        slot.Retire();
        LogUnloaded(slot.Model, slot.Version, reason);
    }

    private static NotFoundException NoSuchVersion(string model, int version) =>
        new("MODEL_VERSION_NOT_FOUND", $"Model '{model}' has no version {version}.");

    public void Dispose()
    {
        _stopping.Cancel();
        foreach (var slot in _slots.Values) slot.Retire();
        _stopping.Dispose();
    }

    [LoggerMessage(Level = LogLevel.Error, Message = "Model {Model} version {Version} cannot be loaded: {Reason}")]
    private partial void LogLoadFailed(string model, int version, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Model {Model} version {Version} is unloaded: {Reason}")]
    private partial void LogUnloaded(string model, int version, string reason);
}
