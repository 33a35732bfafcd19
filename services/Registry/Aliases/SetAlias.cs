using MlOps.Contracts.Events;
using MlOps.Contracts.Registry.V1;
using MlOps.Registry.Versions;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Aliases;

/// <summary>
/// Points an alias to a version, keeps who and why, and tells of it; where it points there already, nothing happens.
/// </summary>
internal sealed class SetAlias(NpgsqlDataSource source, AliasMoves moves)
{
    /// <exception cref="InvalidRequestException">ALIAS_INVALID</exception>
    /// <exception cref="NotFoundException">MODEL_UNKNOWN, VERSION_UNKNOWN</exception>
    public async Task<ModelVersion> HandleAsync(SetAliasRequest request, CancellationToken ct)
    {
        var violations = new Violations();
        violations.CheckAlias(request.Alias);
        violations.CheckText("actor", request.Actor, 250);
        violations.CheckText("reason", request.Reason, Names.MaxText);
        violations.ThrowIfAny("ALIAS_INVALID");

        var (version, move) = await source.InTransactionAsync(
            async transaction =>
            {
                await Models.LockAsync(transaction, request.Model, ct);
                // Refuses an unknown version before anything changes.
                var target = await VersionRows.ReadAsync(transaction, request.Model, request.Version, ct);
                var from = await AliasMoves.CurrentAsync(transaction, request.Model, request.Alias, ct);
                if (from == request.Version) return (target, (ModelAliasMoved?)null);

                await transaction.ExecuteAsync(
                    """
                    insert into model_alias (model, alias, version) values ($1, $2, $3)
                    on conflict (model, alias) do update set version = excluded.version
                    """,
                    [request.Model, request.Alias, request.Version], ct);
                var moved = new ModelAliasMoved(
                    request.Model, request.Alias, from, request.Version, request.Actor, request.Reason);
                await moves.RecordAsync(transaction, moved, ct);
                return (await VersionRows.ReadAsync(transaction, request.Model, request.Version, ct), moved);
            },
            ct);
        if (move is not null) moves.Report(move);
        return version;
    }
}
