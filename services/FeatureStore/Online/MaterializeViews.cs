using System.Buffers;
using Microsoft.Extensions.Options;
using MlOps.Contracts.Events;
using MlOps.Contracts.Features.V1;
using MlOps.FeatureStore.Definitions;
using MlOps.FeatureStore.Tables;
using MlOps.ServiceDefaults;
using Npgsql;
using StackExchange.Redis;

namespace MlOps.FeatureStore.Online;

/// <summary>
/// Writes the newest value per entity, as known at a time, to the online store. Of two materializations the one as of the
/// later time wins, whichever comes last, unless a request says that it replaces newer ones: then an entity without a value
/// at the time loses its key, too. Every key lives on for the retention from its last materialization; running it again
/// fills a store that was lost.
/// </summary>
internal sealed partial class MaterializeViews(
    NpgsqlDataSource database, DefinitionCatalog catalog, OnlineStore store, OnlineKey onlineKey, Outbox outbox,
    TimeProvider clock, IOptions<OnlineOptions> options, ILogger<MaterializeViews> logger)
{
    private const int KeysPerWrite = 500;
    private const int WritesInFlight = 4;

    /// <exception cref="InvalidRequestException">AS_OF_INVALID: the time lies in the future.</exception>
    /// <exception cref="NotFoundException">FEATURE_VIEW_UNKNOWN.</exception>
    public async Task<MaterializeResponse> ExecuteAsync(MaterializeRequest request, CancellationToken ct)
    {
        var now = Micros.Now(clock);
        var asOf = request.AsOfMicros == 0 ? now : request.AsOfMicros;
        // A value from the future would keep out all those that come before it.
        if (asOf > now || !Micros.IsStorable(asOf))
            throw new InvalidRequestException("AS_OF_INVALID", "as_of_micros must not lie in the future.");

        var views = new List<ViewDefinition>();
        foreach (var name in request.FeatureViews.Distinct(StringComparer.Ordinal))
            views.Add(await catalog.ViewAsync(name, ct));
        if (views.Count == 0)
            views.AddRange((await catalog.RefreshAsync(ct)).Views.Values.OrderBy(view => view.Name, StringComparer.Ordinal));

        var response = new MaterializeResponse();
        foreach (var view in views)
        {
            var written = await WriteAsync(view, asOf, request.ReplaceNewer, ct);
            // After the writes: rows only ever get added, so no key just written is among those removed.
            var removed = request.ReplaceNewer ? await RemoveAsync(view, asOf, ct) : 0;
            await NoteAsync(view, asOf, written, ct);
            FeatureStoreTelemetry.Materialized(view.Name, written);
            LogViewMaterialized(logger, view.Name, written, removed);
            response.Views.Add(new MaterializeResponse.Types.View
            {
                FeatureView = view.Name,
                KeysWritten = written,
                KeysRemoved = removed,
            });
        }

        return response;
    }

    private async Task<long> WriteAsync(ViewDefinition view, long asOf, bool replaceNewer, CancellationToken ct)
    {
        var timeToLive = TimeSpan.FromSeconds(Math.Max(
            options.Value.Retention.TotalSeconds, view.TtlMicros == 0 ? 0 : view.Definition.TtlSeconds + TimeSpan.SecondsPerDay));
        var features = string.Concat(view.Features.Select(feature => ", " + ViewTables.Quote(feature.Name)));
        await using var connection = await database.OpenConnectionAsync(ct);
        var sql = $"""
            select distinct on ({view.Keys()}) {view.Keys()}, _event_time{features}
            from {view.History()}
            where _event_time <= $1 and _known_at <= $1
            order by {string.Join(" desc, ", view.JoinKeys.Select(ViewTables.Quote))} desc, {ViewTables.Order(direction: "desc")}
            """;
        await using var command = LongSql.Command(connection, sql, Micros.ToDateTime(asOf));
        await using var reader = await command.ExecuteReaderAsync(ct);

        var prefix = onlineKey.Prefix(view);
        var parts = new string[view.JoinKeys.Count];
        var packed = new ArrayBufferWriter<byte>(256);
        var (keys, values) = (new List<RedisKey>(KeysPerWrite), new List<RedisValue>(KeysPerWrite));
        var writes = new Queue<Task<long>>();
        var written = 0L;
        while (await reader.ReadAsync(ct))
        {
            for (var key = 0; key < parts.Length; key++)
                parts[key] = reader.GetString(key);
            keys.Add(OnlineKey.Of(prefix, parts));
            values.Add(OnlineValue.Pack(
                packed, asOf, Micros.From(reader.GetDateTime(parts.Length)), reader, parts.Length + 1, view.Features));
            if (keys.Count < KeysPerWrite)
                continue;
            if (writes.Count == WritesInFlight)
                written += await writes.Dequeue();
            writes.Enqueue(store.WriteAsync([.. keys], [.. values], timeToLive, replaceNewer, ct));
            keys.Clear();
            values.Clear();
        }

        if (keys.Count > 0)
            writes.Enqueue(store.WriteAsync([.. keys], [.. values], timeToLive, replaceNewer, ct));
        foreach (var count in await Task.WhenAll(writes))
            written += count;
        return written;
    }

    /// <summary>Removes what a materialization as of a later time wrote for entities that have no value yet; the number removed.</summary>
    private async Task<long> RemoveAsync(ViewDefinition view, long asOf, CancellationToken ct)
    {
        await using var connection = await database.OpenConnectionAsync(ct);
        var sql = $"""
            select {view.Keys()} from {view.History()}
            group by {view.Keys()}
            having not bool_or(_event_time <= $1 and _known_at <= $1)
            """;
        await using var command = LongSql.Command(connection, sql, Micros.ToDateTime(asOf));
        await using var reader = await command.ExecuteReaderAsync(ct);

        var prefix = onlineKey.Prefix(view);
        var parts = new string[view.JoinKeys.Count];
        var keys = new List<RedisKey>(KeysPerWrite);
        var removed = 0L;
        while (await reader.ReadAsync(ct))
        {
            for (var key = 0; key < parts.Length; key++)
                parts[key] = reader.GetString(key);
            keys.Add(OnlineKey.Of(prefix, parts));
            if (keys.Count < KeysPerWrite)
                continue;
            removed += await store.RemoveAsync([.. keys], ct);
            keys.Clear();
        }

        return keys.Count == 0 ? removed : removed + await store.RemoveAsync([.. keys], ct);
    }

    private Task NoteAsync(ViewDefinition view, long asOf, long written, CancellationToken ct) =>
        database.InTransactionAsync(
            async tx =>
            {
                await tx.ExecuteAsync(
                    "insert into materializations (feature_view, as_of, keys_written, completed_at) values ($1, $2, $3, $4)",
                    [view.Name, Micros.ToDateTime(asOf), written, clock.GetUtcNow().UtcDateTime], ct);
                await outbox.AddAsync(
                    tx, new FeaturesMaterialized(view.Name, written, new DateTimeOffset(Micros.ToDateTime(asOf))), ct);
            },
            ct);

    [LoggerMessage(LogLevel.Information, "Feature view {FeatureView} materialized: {Written} keys written, {Removed} removed")]
    private static partial void LogViewMaterialized(ILogger logger, string featureView, long written, long removed);
}
