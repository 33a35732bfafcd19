using System.Text.RegularExpressions;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.FeatureStore.Tables;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.FeatureStore.Offline;

/// <summary>Finds and reads snapshots: what they are from PostgreSQL, their content from files named by digest.</summary>
internal sealed partial class Snapshots(NpgsqlDataSource database, SnapshotFolder folder)
{
    private const string Columns = """
        digest, name, row_count, column_names, column_types, feature_service, event_time_column,
        min_time, max_time, created_at, size_bytes
        """;

    /// <exception cref="InvalidRequestException">DIGEST_INVALID.</exception>
    /// <exception cref="NotFoundException">SNAPSHOT_UNKNOWN.</exception>
    public async Task<DatasetSnapshot> GetAsync(string digest, CancellationToken ct)
    {
        if (!DigestPattern().IsMatch(digest))
            throw new InvalidRequestException("DIGEST_INVALID", "A digest is 'sha256:' and 64 hexadecimal digits in lower case.");
        return await database.QueryFirstOrDefaultAsync($"select {Columns} from snapshots where digest = $1", [digest], Map, ct)
            ?? throw new NotFoundException("SNAPSHOT_UNKNOWN", $"There is no snapshot {digest}.");
    }

    /// <exception cref="InvalidRequestException">DIGEST_INVALID.</exception>
    /// <exception cref="NotFoundException">SNAPSHOT_UNKNOWN.</exception>
    /// <exception cref="ConflictException">SNAPSHOT_CORRUPT, at the latest after the last table.</exception>
    public async Task ReadAsync(string digest, Func<Table, Task> write, CancellationToken ct)
    {
        await GetAsync(digest, ct);
        await foreach (var table in SnapshotFile.ReadAsync(folder.PathOf(digest), digest, ct))
            await write(table);
    }

    /// <summary>Notes a snapshot; the first one of a content stays, with its name, and is the answer.</summary>
    public async Task<DatasetSnapshot> AddAsync(DatasetSnapshot snapshot, CancellationToken ct)
    {
        await database.ExecuteAsync(
            $"insert into snapshots ({Columns}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict do nothing",
            [
                snapshot.Digest, snapshot.Name, snapshot.RowCount,
                snapshot.Schema.Select(field => field.Name).ToArray(), snapshot.Schema.Select(field => (int)field.Type).ToArray(),
                snapshot.FeatureService, snapshot.EventTimeColumn, Micros.ToDateTime(snapshot.MinTimeMicros),
                Micros.ToDateTime(snapshot.MaxTimeMicros), Micros.ToDateTime(snapshot.CreatedAtMicros), snapshot.SizeBytes,
            ],
            ct);
        return await GetAsync(snapshot.Digest, ct);
    }

    private static DatasetSnapshot Map(NpgsqlDataReader row) => new()
    {
        Digest = row.GetString(0),
        Name = row.GetString(1),
        RowCount = row.GetInt64(2),
        Schema =
        {
            row.GetFieldValue<string[]>(3).Zip(
                row.GetFieldValue<int[]>(4), (name, type) => new Field { Name = name, Type = (ColumnType)type }),
        },
        FeatureService = row.GetString(5),
        EventTimeColumn = row.GetString(6),
        MinTimeMicros = Micros.From(row.GetDateTime(7)),
        MaxTimeMicros = Micros.From(row.GetDateTime(8)),
        CreatedAtMicros = Micros.From(row.GetDateTime(9)),
        SizeBytes = row.GetInt64(10),
    };

    [GeneratedRegex(@"\Asha256:[0-9a-f]{64}\z")]
    private static partial Regex DigestPattern();
}
