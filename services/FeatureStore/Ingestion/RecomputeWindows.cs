using MlOps.Contracts.Features.V1;
using MlOps.FeatureStore.Definitions;
using MlOps.FeatureStore.Tables;
using MlOps.Numerics.Windows;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.FeatureStore.Ingestion;

/// <summary>
/// Keeps the change points of an aggregated view equal to what its rows say: those of every entity that got a row are
/// computed anew from all its rows, so that they depend on the rows alone and not on how these arrived.
/// </summary>
/// <remarks>
/// A row counts from when it is known until event time + window. Before its first change point an entity is unknown;
/// after the last one the count is 0 and the mean missing.
/// </remarks>
internal static class RecomputeWindows
{
    private const int EntitiesAtOnce = 500;

    /// <summary>Stores the staged rows and brings the change points of their entities up to date; the number of new rows.</summary>
    public static async Task<long> StoreAsync(NpgsqlTransaction tx, ViewDefinition view, CancellationToken ct)
    {
        // One stream at a time computes a view: each sees the rows of the one before. Taken after the rows are staged, so short.
        await tx.ExecuteAsync("select pg_advisory_xact_lock(hashtextextended($1, 0))", [view.History()], ct);
        var sql = $"""
            with added as ({IngestRows.InsertSql(view)} returning {view.Keys()})
            select count(*), {view.Keys()} from added group by {view.Keys()}
            """;
        var (added, touched) = (0L, new List<string[]>());
        // An open transaction has its connection.
        await using (var command = LongSql.Command(tx.Connection!, sql))
        {
            await using var reader = await command.ExecuteReaderAsync(ct);
            while (await reader.ReadAsync(ct))
            {
                added += reader.GetInt64(0);
                touched.Add(ReadKeys(reader, 1, view.JoinKeys.Count));
            }
        }

        foreach (var entities in touched.Chunk(EntitiesAtOnce))
            await RecomputeAsync(tx, view, entities, ct);
        return added;
    }

    private static async Task RecomputeAsync(
        NpgsqlTransaction tx, ViewDefinition view, string[][] entities, CancellationToken ct)
    {
        var connection = tx.Connection!; // an open transaction has one
        object[] keys = [.. Enumerable.Range(0, view.JoinKeys.Count).Select(key => entities.Select(entity => entity[key]).ToArray())];
        var wanted = KeyArrays.Join(view, "r");
        await tx.ExecuteAsync($"delete from {view.History()} as r using {wanted.From} where {wanted.On}", keys, ct);

        var columns = view.Definition.Aggregation.Aggregates
            .Where(aggregate => aggregate.Function == Aggregate.Types.Function.Mean)
            .Select(aggregate => aggregate.Column).Distinct(StringComparer.Ordinal).ToArray();
        var points = new RowBatch(view.JoinKeys.Count, view.Features);
        var rows = new EntityRows(columns.Length);
        var sql = $"""
            select key.ordinal, r._event_time, r._known_at{string.Concat(columns.Select(column => $", r.{ViewTables.Quote(column)}::double precision"))}
            from {wanted.From} join {view.Rows()} as r on {wanted.On}
            order by key.ordinal
            """;
        await using (var command = LongSql.Command(connection, sql, keys))
        {
            await using var reader = await command.ExecuteReaderAsync(ct);
            var current = 0L;
            while (await reader.ReadAsync(ct))
            {
                if (reader.GetInt64(0) != current && current > 0)
                    AddPoints(view, entities[current - 1], columns, rows, points);
                current = reader.GetInt64(0);
                rows.Add(reader);
            }

            if (current > 0)
                AddPoints(view, entities[current - 1], columns, rows, points);
        }

        await points.CopyAsync(connection, $"{view.History()} ({view.HistoryColumns()})", ct);
    }

    private static void AddPoints(ViewDefinition view, string[] keys, string[] columns, EntityRows rows, RowBatch points)
    {
        var steps = rows.Steps(view.WindowMicros);
        var times = new SortedSet<long>(steps.SelectMany(step => step.TimesMicros));
        foreach (var time in times)
        {
            for (var key = 0; key < keys.Length; key++)
                points.Keys[key].AddText(keys[key]);
            points.EventTimes.AddBits(time);
            points.KnownAt.AddBits(time);
            for (var feature = 0; feature < points.Values.Length; feature++)
            {
                var aggregate = view.Definition.Aggregation.Aggregates[feature];
                if (aggregate.Function == Aggregate.Types.Function.Count)
                    points.Values[feature].AddBits(steps[0].At(time).Count);
                else
                    points.Values[feature].AddDouble(steps[Array.IndexOf(columns, aggregate.Column)].At(time).Mean);
            }
        }

        rows.Clear();
    }

    private static string[] ReadKeys(NpgsqlDataReader row, int first, int count)
    {
        var keys = new string[count];
        for (var key = 0; key < count; key++)
            keys[key] = row.GetString(first + key);
        return keys;
    }

    /// <summary>The rows of one entity.</summary>
    private sealed class EntityRows(int columns)
    {
        private readonly List<long> _eventTimes = [];
        private readonly List<long> _knownAt = [];
        private readonly List<double>[] _values = [.. Enumerable.Range(0, Math.Max(columns, 1)).Select(_ => new List<double>())];

        public void Add(NpgsqlDataReader row)
        {
            _eventTimes.Add(Micros.From(row.GetDateTime(1)));
            _knownAt.Add(Micros.From(row.GetDateTime(2)));
            for (var column = 0; column < _values.Length; column++)
                _values[column].Add(columns == 0 || row.IsDBNull(3 + column) ? double.NaN : row.GetDouble(3 + column));
        }

        /// <summary>Count and mean of each column, at least one for the count.</summary>
        public SlidingAggregate[] Steps(long window)
        {
            long[] eventTimes = [.. _eventTimes], knownAt = [.. _knownAt];
            return [.. _values.Select(values => SlidingAggregate.Of(eventTimes, knownAt, [.. values], window))];
        }

        public void Clear()
        {
            _eventTimes.Clear();
            _knownAt.Clear();
            foreach (var values in _values)
                values.Clear();
        }
    }
}
