using System.Collections.Frozen;
using Grpc.Core;
using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Models;

/// <summary>
/// The registry's models and aliases as last heard, and what of them is served: an alias keeps its old version until
/// the new one is loaded.
/// </summary>
internal sealed partial class ModelCatalogue(
    RegistryService.RegistryServiceClient registry, TimeProvider time, ILogger<ModelCatalogue> logger) : IDisposable
{
    private static readonly TimeSpan CallTimeout = TimeSpan.FromSeconds(5);
    private const int MaxNameLength = 255;
    private readonly SemaphoreSlim _turn = new(1);
    private readonly Lock _routing = new();
    private volatile FrozenDictionary<string, ModelRoutes> _wanted = FrozenDictionary<string, ModelRoutes>.Empty;
    private volatile FrozenDictionary<string, ModelRoutes> _served = FrozenDictionary<string, ModelRoutes>.Empty;
    private long? _askedAt;

    public FrozenDictionary<string, ModelRoutes> Wanted => _wanted;

    public FrozenDictionary<string, ModelRoutes> Served => _served;

    /// <summary>Why the registry's latest answer failed to come; null: it answers.</summary>
    public string? Failure { get; private set; } = "the registry was not asked yet";

    public async Task RefreshAsync(Func<string, int, bool> isLoaded, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            await RefreshInTurnAsync(isLoaded, ct);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>The version a selector means, asking the registry when it is not known here.</summary>
    /// <exception cref="NotFoundException">MODEL_NOT_FOUND, MODEL_VERSION_NOT_FOUND.</exception>
    /// <exception cref="RpcException">Unavailable: not known here, and the registry is away.</exception>
    public ValueTask<int> FindAsync(string model, string selector, Func<string, int, bool> isLoaded, CancellationToken ct) =>
        Find(model, selector) is { } version ? new(version) : new(FindAnewAsync(model, selector, isLoaded, ct));

    /// <summary>Moves what is served to what is wanted, as far as that is loaded.</summary>
    public void Route(Func<string, int, bool> isLoaded)
    {
        lock (_routing)
        {
            var before = _served;
            _served = _wanted.ToFrozenDictionary(
                m => m.Key, m => m.Value.KeepServing(before.GetValueOrDefault(m.Key), v => isLoaded(m.Key, v)));
            foreach (var (model, routes) in _served)
            {
                if (before.GetValueOrDefault(model) is { } old && old.Default != routes.Default)
                {
                    LogSwapped(model, old.Default, routes.Default);
                }
            }
        }
    }

    private int? Find(string model, string selector) =>
        _served.TryGetValue(model, out var routes) ? routes.Find(selector) : null;

    private async Task<int> FindAnewAsync(
        string model, string selector, Func<string, int, bool> isLoaded, CancellationToken ct)
    {
        if (model.Length > MaxNameLength || selector.Length > MaxNameLength)
        {
            throw new NotFoundException("MODEL_NOT_FOUND", $"No model or version has a name longer than {MaxNameLength} characters.");
        }

        await RefreshSinceAsync(time.GetTimestamp(), isLoaded, ct);
        if (Find(model, selector) is { } version) return version;
        if (Failure is { } failure)
        {
            throw ModelUnavailable.Because(
                "REGISTRY_UNAVAILABLE", $"Model '{model}' is not known here and the registry is away: {failure}");
        }

        throw _served.ContainsKey(model)
            ? new NotFoundException("MODEL_VERSION_NOT_FOUND", $"Model '{model}' has no version or alias '{selector}'.")
            : new NotFoundException("MODEL_NOT_FOUND", $"There is no model '{model}'.");
    }

    // One question at a time, however many requests name what does not exist: all that came before it share its answer.
    private async Task RefreshSinceAsync(long arrivedAt, Func<string, int, bool> isLoaded, CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            if (_askedAt is null || _askedAt < arrivedAt) await RefreshInTurnAsync(isLoaded, ct);
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            LogRegistryAway(e.Status.Detail);
        }
        finally
        {
            _turn.Release();
        }
    }

    private async Task RefreshInTurnAsync(Func<string, int, bool> isLoaded, CancellationToken ct)
    {
        _askedAt = time.GetTimestamp();
        try
        {
            var answer = await registry.ListModelsAsync(
                new ListModelsRequest(),
                deadline: (time.GetUtcNow() + CallTimeout).UtcDateTime, cancellationToken: ct);
            _wanted = answer.Models.Where(m => m.LatestVersion > 0).ToFrozenDictionary(
                m => m.Name, m => new ModelRoutes(m.LatestVersion, m.Aliases.ToFrozenDictionary()));
            Failure = null;
            Route(isLoaded);
        }
        catch (Exception) when (ct.IsCancellationRequested)
        {
            // The caller gave up, which says nothing of the registry: who waits for this answer asks again.
            _askedAt = null;
            throw;
        }
        catch (RpcException e)
        {
            Failure = e.Status.Detail;
            throw;
        }
    }

    public void Dispose() => _turn.Dispose();

    [LoggerMessage(Level = LogLevel.Warning, Message = "Registry is away: {Reason}")]
    private partial void LogRegistryAway(string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "Model {Model} answers with version {ToVersion} instead of {FromVersion}")]
    private partial void LogSwapped(string model, int fromVersion, int toVersion);
}
