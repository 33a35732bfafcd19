using System.Data;
using System.Runtime.CompilerServices;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.FeatureStore.Definitions;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.FeatureStore.Offline;

/// <summary>
/// Answers each table of entity rows with the same rows, in order, and the features as known at each row's time. The whole
/// stream sees the store as it was when the stream began; memory is bounded by the history of one table's keys.
/// </summary>
internal sealed class JoinHistoricalFeatures(NpgsqlDataSource database, DefinitionCatalog catalog)
{
    /// <exception cref="NotFoundException">FEATURE_SERVICE_UNKNOWN, FEATURE_VIEW_UNKNOWN or FEATURE_UNKNOWN.</exception>
    /// <exception cref="InvalidRequestException">JOIN_STREAM, SELECTION_INVALID, TABLE_MALFORMED, TABLE_COLUMNS or TIME_MISSING.</exception>
    public async IAsyncEnumerable<Table> ExecuteAsync(
        HistoricalHeader? header, IAsyncEnumerable<Table> tables, [EnumeratorCancellation] CancellationToken ct)
    {
        if (header is null || header.EventTimeColumn.Length == 0)
            throw new InvalidRequestException("JOIN_STREAM", "The first message must be a header that names the event_time_column.");
        var plan = await catalog.PlanAsync(header.FeatureService, header.Selections, ct);
        await using var connection = await database.OpenConnectionAsync(ct);
        await using var tx = await connection.BeginTransactionAsync(IsolationLevel.RepeatableRead, ct);
        var join = new HistoricalJoin(connection, plan, header.EventTimeColumn);
        await foreach (var table in tables.WithCancellation(ct))
        {
            var started = FeatureStoreTelemetry.Start();
            var joined = await join.JoinAsync(table, ct);
            FeatureStoreTelemetry.Joined(joined.Rows, started);
            yield return joined.Table;
        }
    }
}
