using MlOps.FeatureStore.Definitions;
using MlOps.FeatureStore.Tables;
using Npgsql;

namespace MlOps.FeatureStore.Offline;

/// <summary>The rows of some keys of one view in memory, for each key in the order of time.</summary>
internal sealed class FeatureHistory
{
    private readonly Dictionary<string, (int Start, int Length)> _ranges;
    private readonly long[] _eventTimes;
    private readonly long[] _knownAt;
    private readonly ColumnBuffer[] _values;

    private FeatureHistory(
        Dictionary<string, (int Start, int Length)> ranges, List<long> eventTimes, List<long> knownAt, ColumnBuffer[] values)
    {
        _ranges = ranges;
        _eventTimes = [.. eventTimes];
        _knownAt = [.. knownAt];
        _values = values;
    }

    /// <summary>Reads what a join at times in [<paramref name="oldest"/>, <paramref name="newest"/>] may need.</summary>
    /// <param name="connection">A connection, whose transaction says which rows are seen.</param>
    /// <param name="view">The view to read.</param>
    /// <param name="features">Indexes of the features wanted.</param>
    /// <param name="keys">Encoded key (see <see cref="EntityKey"/>) → values of the join keys.</param>
    /// <param name="oldest">Smallest time of the join, in microseconds.</param>
    /// <param name="newest">Greatest time of the join, in microseconds.</param>
    /// <param name="ct">Cancels the read.</param>
    public static async Task<FeatureHistory> LoadAsync(
        NpgsqlConnection connection, ViewDefinition view, IReadOnlyList<int> features,
        Dictionary<string, string[]> keys, long oldest, long newest, CancellationToken ct)
    {
        var wanted = KeyArrays.Join(view, "r");
        var next = view.JoinKeys.Count;
        var columns = string.Concat(features.Select(feature => $", r.{ViewTables.Quote(view.Features[feature].Name)}"));
        var sql = $"""
            select key.ordinal, r._event_time, r._known_at{columns}
            from {wanted.From} join {view.History()} as r on {wanted.On}
            where r._event_time <= ${next + 1} and r._event_time >= ${next + 2}
            order by key.ordinal, {ViewTables.Order("r.")}
            """;
        var encoded = keys.Keys.ToArray();
        var lower = view.TtlMicros == 0 ? long.MinValue : oldest - view.TtlMicros;
        await using var command = LongSql.Command(
            connection,
            sql,
            [
                .. Enumerable.Range(0, next).Select(key => Array.ConvertAll(encoded, name => keys[name][key])),
                Micros.ToDateTime(newest), Micros.ToDateTimeOrBeginning(lower),
            ]);

        var ranges = new Dictionary<string, (int Start, int Length)>(StringComparer.Ordinal);
        var (eventTimes, knownAt) = (new List<long>(), new List<long>());
        ColumnBuffer[] values = [.. features.Select(feature => new ColumnBuffer(view.Features[feature].Type))];
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            var name = encoded[reader.GetInt64(0) - 1];
            ranges[name] = ranges.TryGetValue(name, out var range) ? (range.Start, range.Length + 1) : (eventTimes.Count, 1);
            eventTimes.Add(Micros.From(reader.GetDateTime(1)));
            knownAt.Add(Micros.From(reader.GetDateTime(2)));
            for (var column = 0; column < values.Length; column++)
                values[column].AddFrom(reader, 3 + column);
        }

        return new(ranges, eventTimes, knownAt, values);
    }

    public ColumnBuffer Values(int column) => _values[column];

    /// <summary>The row that is the key's value at a time, −1 when there is none.</summary>
    public int Find(string key, long time, long ttl)
    {
        if (!_ranges.TryGetValue(key, out var range))
            return -1;
        var found = PointInTime.Find(
            _eventTimes.AsSpan(range.Start, range.Length), _knownAt.AsSpan(range.Start, range.Length), time, ttl);
        return found < 0 ? -1 : range.Start + found;
    }
}
