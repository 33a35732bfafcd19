using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.FeatureStore.Tables;
using MlOps.ServiceDefaults;

namespace MlOps.FeatureStore.Offline;

/// <summary>
/// Joins features to a stream of entity rows and keeps the result as an immutable snapshot named by its content. The file is
/// durable before the snapshot can be found; creating the same content again gives the same snapshot and heals its file.
/// </summary>
internal sealed partial class CreateSnapshot(
    JoinHistoricalFeatures join, Snapshots snapshots, SnapshotFolder folder, TimeProvider clock, ILogger<CreateSnapshot> logger)
{
    private const int LongestName = 200;

    /// <exception cref="InvalidRequestException">SNAPSHOT_INVALID: no name or no rows; and those of the join.</exception>
    /// <exception cref="NotFoundException">Those of the join.</exception>
    public async Task<DatasetSnapshot> ExecuteAsync(
        CreateSnapshotRequest.Types.Header? header, IAsyncEnumerable<Table> tables, CancellationToken ct)
    {
        if (header is null || string.IsNullOrWhiteSpace(header.Name) || header.Name.Length > LongestName
            || header.Name.Contains('\0', StringComparison.Ordinal))
            throw new InvalidRequestException(
                "SNAPSHOT_INVALID", $"The first message must be a header with a name of at most {LongestName} characters.");

        var path = folder.NewTemporaryPath();
        try
        {
            var snapshot = await WriteAsync(header, tables, path, ct);
            File.Move(path, folder.PathOf(snapshot.Digest), overwrite: true);
            var kept = await snapshots.AddAsync(snapshot, ct);
            LogSnapshotCreated(logger, kept.Digest, kept.Name, kept.RowCount, kept.SizeBytes);
            return kept;
        }
        finally
        {
            File.Delete(path);
        }
    }

    private async Task<DatasetSnapshot> WriteAsync(
        CreateSnapshotRequest.Types.Header header, IAsyncEnumerable<Table> tables, string path, CancellationToken ct)
    {
        await using var writer = new SnapshotWriter(path);
        var (oldest, newest) = (long.MaxValue, long.MinValue);
        await foreach (var table in join.ExecuteAsync(header.Join, tables, ct))
        {
            await writer.AddAsync(table, ct);
            // The join has checked that the column is there and has no missing time.
            foreach (var time in table.Find(header.Join.EventTimeColumn)!.Times.Values)
                (oldest, newest) = (Math.Min(oldest, time), Math.Max(newest, time));
        }

        if (writer.RowCount == 0)
            throw new InvalidRequestException("SNAPSHOT_INVALID", "A snapshot needs at least one row.");
        return new()
        {
            Digest = await writer.CompleteAsync(ct),
            Name = header.Name,
            RowCount = writer.RowCount,
            Schema = { writer.Schema },
            FeatureService = header.Join.FeatureService,
            EventTimeColumn = header.Join.EventTimeColumn,
            MinTimeMicros = oldest,
            MaxTimeMicros = newest,
            CreatedAtMicros = Micros.Now(clock),
            SizeBytes = writer.Size,
        };
    }

    [LoggerMessage(LogLevel.Information, "Snapshot {Digest} '{Name}': {Rows} rows, {Bytes} bytes")]
    private static partial void LogSnapshotCreated(ILogger logger, string digest, string name, long rows, long bytes);
}
