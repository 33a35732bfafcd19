using Google.Protobuf;
using MlOps.Contracts.Features.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.FeatureStore.Definitions;

/// <summary>Creates or updates definitions, all or none; applying the same again changes nothing.</summary>
internal sealed partial class ApplyDefinitions(
    NpgsqlDataSource database, DefinitionCatalog catalog, TimeProvider clock, ILogger<ApplyDefinitions> logger)
{
    // "mlopsdef": one Apply at a time, so that each sees what the one before left.
    private const long ApplyLock = 0x6D6C_6F70_7364_6566;

    /// <exception cref="InvalidRequestException">DEFINITIONS_INVALID with every violation.</exception>
    /// <exception cref="ConflictException">VIEW_INCOMPATIBLE: a view with rows would change its shape.</exception>
    public async Task<ApplyResponse> ExecuteAsync(ApplyRequest request, CancellationToken ct)
    {
        var response = await database.InTransactionAsync(tx => ApplyAsync(tx, request, ct), ct);
        if (response.Created.Count + response.Updated.Count > 0)
            await catalog.RefreshAsync(ct);
        LogDefinitionsApplied(logger, response.Created.Count, response.Updated.Count, response.Unchanged.Count);
        return response;
    }

    private async Task<ApplyResponse> ApplyAsync(NpgsqlTransaction tx, ApplyRequest request, CancellationToken ct)
    {
        await tx.ExecuteAsync("select pg_advisory_xact_lock($1)", [ApplyLock], ct);
        var current = await DefinitionStore.LoadAsync(tx, ct);
        var merged = new MergedDefinitions(current, request);
        DefinitionRules.Check(request, merged);
        await ReshapeTablesAsync(tx, current, merged, ct);

        var response = new ApplyResponse();
        var now = clock.GetUtcNow().UtcDateTime;
        var entities = current.Entities.ToDictionary(entity => entity.Name, StringComparer.Ordinal);
        foreach (var entity in request.Entities)
            if (Note(response, entity.Name, entities.GetValueOrDefault(entity.Name), entity))
                await DefinitionStore.WriteEntityAsync(tx, entity, now, ct);
        foreach (var view in request.FeatureViews)
            if (Note(response, view.Name, current.Views.GetValueOrDefault(view.Name)?.Definition, view))
                await DefinitionStore.WriteViewAsync(tx, view, now, ct);
        var services = current.FeatureServices.ToDictionary(service => service.Name, StringComparer.Ordinal);
        foreach (var service in request.FeatureServices)
            if (Note(response, service.Name, services.GetValueOrDefault(service.Name), service))
                await DefinitionStore.WriteServiceAsync(tx, service, now, ct);
        if (response.Created.Count + response.Updated.Count > 0)
            await tx.ExecuteAsync("update definitions_revision set revision = revision + 1", [], ct);
        return response;
    }

    private static bool Note<T>(ApplyResponse response, string name, T? before, T after)
        where T : class, IMessage<T>
    {
        (before is null ? response.Created : before.Equals(after) ? response.Unchanged : response.Updated).Add(name);
        return before is null || !before.Equals(after);
    }

    private static async Task ReshapeTablesAsync(
        NpgsqlTransaction tx, DefinitionSet current, MergedDefinitions merged, CancellationToken ct)
    {
        var conflicts = new List<string>();
        foreach (var definition in merged.FeatureViews.Values)
        {
            var after = new ViewDefinition(definition, merged.Entities[definition.Entity]);
            if (!current.Views.TryGetValue(after.Name, out var before))
            {
                await tx.ExecuteAsync(ViewTables.CreateSql(after), [], ct);
                continue;
            }

            var differences = ViewChange.Differences(before, after).ToList();
            if (differences.Count == 0)
                continue;
            // Waits for ingests under way, which hold the row's key: afterwards "no rows" stays true until commit.
            await tx.ExecuteAsync("select from feature_views where name = $1 for update", [after.Name], ct);
            var hasRows = await tx.QueryAsync($"select exists (select from {before.Rows()})", [], row => row.GetBoolean(0), ct);
            if (hasRows[0])
            {
                conflicts.Add($"{after.Name}: {string.Join("; ", differences)}");
                continue;
            }

            await tx.ExecuteAsync(ViewTables.DropSql(before), [], ct);
            await tx.ExecuteAsync(ViewTables.CreateSql(after), [], ct);
        }

        if (conflicts.Count > 0)
            throw new ConflictException("VIEW_INCOMPATIBLE", "Views that have rows cannot change in these: "
                + string.Join(" | ", conflicts) + ". Define a view of another name.");
    }

    [LoggerMessage(LogLevel.Information, "Definitions applied: {Created} created, {Updated} updated, {Unchanged} unchanged")]
    private static partial void LogDefinitionsApplied(ILogger logger, int created, int updated, int unchanged);
}
