using MlOps.Monitoring.PredictionLog;
using MlOps.Numerics.Profiles;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Monitoring.Drift;

/// <summary>Reads columns of the log in one pass over its rows, from one moment.</summary>
internal sealed class CurrentColumns(NpgsqlDataSource source)
{
    /// <summary>The traffic of a version, or of all versions where <paramref name="version"/> is null.</summary>
    public Task<CurrentTraffic> ReadAsync(
        string model, string? version, Window window, IReadOnlyList<FeatureProfile> features, CancellationToken ct) =>
        source.InTransactionAsync(
            async transaction =>
            {
                // So that no row has a layout that came after the layouts were read.
                await transaction.ExecuteAsync("set transaction isolation level repeatable read, read only", [], ct);
                var slots = (await InputLayouts.ReadAsync(transaction, ct))
                    .ToDictionary(l => l.Key, l => features.Select(f => l.Value.Find(f.Name)).ToArray());
                await using var command = new NpgsqlCommand(
                    """
                    select layout_id, prediction, numbers, texts from prediction
                    where model = $1 and ($2::text is null or version = $2)
                      and ($3::timestamptz is null or time >= $3) and ($4::timestamptz is null or time < $4)
                      and shadow_of is null
                    """,
                    transaction.Connection, transaction)
                {
                    Parameters =
                    {
                        new() { Value = model },
                        new() { Value = (object?)version ?? DBNull.Value },
                        new() { Value = (object?)window.From ?? DBNull.Value },
                        new() { Value = (object?)window.To ?? DBNull.Value },
                    },
                };
                return await ReadAsync(command, slots, features, ct);
            },
            ct);

    private static async Task<CurrentTraffic> ReadAsync(
        NpgsqlCommand command, Dictionary<int, InputSlot?[]> slots, IReadOnlyList<FeatureProfile> features,
        CancellationToken ct)
    {
        var rows = 0L;
        var columns = features.Select(f => new CurrentColumn(f.Kind)).ToArray();
        var predictions = new CurrentColumn(FeatureKind.Numeric);
        await using var reader = await command.ExecuteReaderAsync(ct);
        while (await reader.ReadAsync(ct))
        {
            rows++;
            predictions.Add(reader.GetDouble(1));
            var (numbers, texts) = (reader.GetFieldValue<double[]>(2), reader.GetFieldValue<string?[]>(3));
            var row = slots[reader.GetInt32(0)];
            for (var i = 0; i < columns.Length; i++)
            {
                if (row[i] is { } slot) columns[i].Add(slot, numbers, texts);
            }
        }

        return new CurrentTraffic(rows, columns, predictions);
    }
}
