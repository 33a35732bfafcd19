using MlOps.Contracts.Events;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Aliases;

/// <summary>The history of aliases and the event that tells of a move, both in the transaction of the move.</summary>
internal sealed partial class AliasMoves(
    Outbox outbox, RegistryMetrics metrics, TimeProvider time, ILogger<AliasMoves> logger)
{
    public static Task<int?> CurrentAsync(NpgsqlTransaction transaction, string model, string alias, CancellationToken ct) =>
        transaction.QueryFirstOrDefaultAsync<int?>(
            "select version from model_alias where model = $1 and alias = $2", [model, alias], r => r.GetInt32(0), ct);

    public async Task RecordAsync(NpgsqlTransaction transaction, ModelAliasMoved move, CancellationToken ct)
    {
        await transaction.ExecuteAsync(
            """
            insert into model_alias_move (model, alias, from_version, to_version, actor, reason, moved_at)
            values ($1, $2, $3, $4, $5, $6, $7)
            """,
            [move.Model, move.Alias, move.FromVersion, move.ToVersion, move.Actor, move.Reason, time.GetUtcNow()], ct);
        await outbox.AddAsync(transaction, move, ct);
    }

    /// <summary>Counts and logs a move that has been committed.</summary>
    public void Report(ModelAliasMoved move)
    {
        metrics.AliasMoves.Add(1);
        LogMoved(move.Model, move.Alias, move.FromVersion, move.ToVersion, move.Actor);
    }

    [LoggerMessage(
        Level = LogLevel.Information, Message = "Alias {Alias} of {Model} moved from {From} to {To} by '{Actor}'")]
    private partial void LogMoved(string model, string alias, int? from, int? to, string actor);
}
