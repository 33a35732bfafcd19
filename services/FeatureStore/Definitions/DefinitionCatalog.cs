using MlOps.Contracts.Features.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.FeatureStore.Definitions;

/// <summary>
/// The definitions in memory: reads cost a field access, one's own changes show at once, another replica's within
/// <see cref="DefinitionRefresh.Interval"/> or when a name is asked for that is not here. Serving goes on with what is
/// here while PostgreSQL is away. Bounded by what is defined.
/// </summary>
internal sealed class DefinitionCatalog(NpgsqlDataSource database) : IDisposable
{
    private readonly SemaphoreSlim _loading = new(1, 1);
    private volatile DefinitionSet? _current;

    public ValueTask<DefinitionSet> GetAsync(CancellationToken ct) =>
        _current is { } current ? new(current) : new(RefreshAsync(ct));

    /// <summary>Loads the definitions when they changed since the last load.</summary>
    public async Task<DefinitionSet> RefreshAsync(CancellationToken ct)
    {
        await _loading.WaitAsync(ct);
        try
        {
            if (_current is { } current)
            {
                var revision = await database.QueryAsync(
                    "select revision from definitions_revision", [], row => row.GetInt64(0), ct);
                if (revision[0] == current.Revision)
                    return current;
            }

            return _current = await database.InTransactionAsync(tx => DefinitionStore.LoadAsync(tx, ct), ct);
        }
        finally
        {
            _loading.Release();
        }
    }

    /// <exception cref="NotFoundException">FEATURE_VIEW_UNKNOWN.</exception>
    public async ValueTask<ViewDefinition> ViewAsync(string name, CancellationToken ct)
    {
        var definitions = await GetAsync(ct);
        if (!definitions.Views.ContainsKey(name))
            definitions = await RefreshAsync(ct);
        return definitions.View(name);
    }

    /// <summary>The plan of a feature service, or of the selections given instead of one.</summary>
    /// <exception cref="NotFoundException">FEATURE_SERVICE_UNKNOWN, FEATURE_VIEW_UNKNOWN or FEATURE_UNKNOWN.</exception>
    /// <exception cref="InvalidRequestException">SELECTION_INVALID.</exception>
    public ValueTask<SelectionPlan> PlanAsync(
        string featureService, IReadOnlyList<FeatureSelection> selections, CancellationToken ct)
    {
        if (selections.Count == 0 && _current is { } current && current.TryGetService(featureService, out var plan))
            return new(plan!); // TryGetService said yes
        return new(ResolveAsync(featureService, selections, ct));
    }

    public void Dispose() => _loading.Dispose();

    private async Task<SelectionPlan> ResolveAsync(
        string featureService, IReadOnlyList<FeatureSelection> selections, CancellationToken ct)
    {
        if (featureService.Length > 0 && selections.Count > 0)
            throw new InvalidRequestException(
                "SELECTION_INVALID", "Name either a feature service or selections, not both.");
        var definitions = await GetAsync(ct);
        if (featureService.Length == 0)
        {
            if (selections.Any(selection => !definitions.Views.ContainsKey(selection.FeatureView)))
                definitions = await RefreshAsync(ct);
            return SelectionPlan.Resolve(definitions, selections);
        }

        if (definitions.TryGetService(featureService, out var plan)
            || (await RefreshAsync(ct)).TryGetService(featureService, out plan))
            return plan!; // TryGetService said yes
        throw new NotFoundException("FEATURE_SERVICE_UNKNOWN", $"There is no feature service '{featureService}'.");
    }
}
