using MlOps.Contracts.Events;
using MlOps.Contracts.Registry.V1;
using MlOps.Registry.Versions;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Aliases;

/// <summary>Removes an alias, keeps who and why, and tells of it.</summary>
internal sealed class DeleteAlias(NpgsqlDataSource source, AliasMoves moves)
{
    /// <exception cref="InvalidRequestException">ALIAS_INVALID</exception>
    /// <exception cref="NotFoundException">MODEL_UNKNOWN, ALIAS_UNKNOWN</exception>
    public async Task HandleAsync(DeleteAliasRequest request, CancellationToken ct)
    {
        var violations = new Violations();
        violations.CheckText("actor", request.Actor, 250);
        violations.CheckText("reason", request.Reason, Names.MaxText);
        violations.ThrowIfAny("ALIAS_INVALID");

        var move = await source.InTransactionAsync(
            async transaction =>
            {
                await Models.LockAsync(transaction, request.Model, ct);
                var from = await AliasMoves.CurrentAsync(transaction, request.Model, request.Alias, ct)
                    ?? throw await Models.AliasUnknownAsync(transaction, request.Model, request.Alias, ct);
                await transaction.ExecuteAsync(
                    "delete from model_alias where model = $1 and alias = $2", [request.Model, request.Alias], ct);
                var moved = new ModelAliasMoved(request.Model, request.Alias, from, null, request.Actor, request.Reason);
                await moves.RecordAsync(transaction, moved, ct);
                return moved;
            },
            ct);
        moves.Report(move);
    }
}
