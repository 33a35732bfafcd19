using MlOps.ServiceDefaults;
using Npgsql;
using NpgsqlTypes;

namespace MlOps.Monitoring.PredictionLog;

/// <summary>
/// Adds a batch to the log: every record once, whether its batch is delivered again or the record comes in another one.
/// </summary>
internal sealed partial class LogPredictions(
    NpgsqlDataSource source, Inbox inbox, Months months, InputLayouts layouts, MonitoringMetrics metrics, TimeProvider time,
    ILogger<LogPredictions> logger)
{
    /// <exception cref="InvalidRequestException">BATCH_MALFORMED</exception>
    public async Task HandleAsync(Guid batchId, ReadOnlyMemory<byte> batch, CancellationToken ct)
    {
        var records = LoggedRecord.Parse(batch, time.GetUtcNow());
        await months.EnsureAsync(records.Select(r => r.Time), ct);
        var layoutIds = new Dictionary<string, int>();
        foreach (var layout in records.Where(r => !r.IsFailure).Select(r => r.Layout).DistinctBy(Key))
        {
            layoutIds[Key(layout)] = await layouts.IdOfAsync(layout, ct);
        }

        var added = await source.InTransactionAsync(
            async transaction =>
            {
                if (!await inbox.TryEnterAsync(transaction, PredictionsLoggedConsumer.Name, batchId, ct)) return null;
                var unseen = await EnterAsync(transaction, records, ct);
                await CopyAsync(transaction, unseen.Where(r => !r.IsFailure), layoutIds, ct);
                await FailedRecords.AddAsync(transaction, [.. unseen.Where(r => r.IsFailure)], ct);
                return unseen;
            },
            ct);
        if (added is null) return;

        metrics.Logged.Add(added.Sum(r => r.Record.Predictions.Count));
        metrics.Failures.Add(added.Count(r => r.IsFailure));
        metrics.RepeatedRecords.Add(records.Count - added.Count);
        if (added.Count < records.Count) LogRepeated(batchId, records.Count - added.Count);
    }

    private static string Key(InputLayout layout) => Convert.ToBase64String(layout.Digest());

    /// <summary>Notes the records' ids and answers those that were not there before.</summary>
    private static async Task<List<LoggedRecord>> EnterAsync(
        NpgsqlTransaction transaction, List<LoggedRecord> records, CancellationToken ct)
    {
        // In one order everywhere, so that two batches with the same records do not wait for each other in a circle.
        var byId = records.DistinctBy(r => r.Id).OrderBy(r => r.Id).ToDictionary(r => r.Id);
        var entered = await transaction.QueryAsync(
            """
            insert into prediction_record (prediction_id, time, rows)
            select * from unnest($1::uuid[], $2::timestamptz[], $3::int[])
            on conflict do nothing
            returning prediction_id
            """,
            [
                byId.Keys.ToArray(), byId.Values.Select(r => r.Time).ToArray(),
                byId.Values.Select(r => r.Record.Predictions.Count).ToArray(),
            ],
            r => byId[r.GetGuid(0)], ct);
        return entered;
    }

    private static async Task CopyAsync(
        NpgsqlTransaction transaction, IEnumerable<LoggedRecord> records, Dictionary<string, int> layoutIds, CancellationToken ct)
    {
        // A transaction that has begun has its connection.
        await using var copy = await transaction.Connection!.BeginBinaryImportAsync(
            """
            copy prediction (prediction_id, row, time, model, version, variant, prediction, layout_id, numbers, texts,
                subject_hash, latency_micros, mode, flags, shadow_of, sampling_rate) from stdin (format binary)
            """,
            ct);
        foreach (var logged in records)
        {
            var (record, layoutId) = (logged.Record, layoutIds[Key(logged.Layout)]);
            for (var row = 0; row < record.Predictions.Count; row++)
            {
                await copy.StartRowAsync(ct);
                await copy.WriteAsync(logged.Id, NpgsqlDbType.Uuid, ct);
                await copy.WriteAsync(row, NpgsqlDbType.Integer, ct);
                await copy.WriteAsync(logged.Time, NpgsqlDbType.TimestampTz, ct);
                await copy.WriteAsync(record.Model, NpgsqlDbType.Text, ct);
                await copy.WriteAsync(record.Version, NpgsqlDbType.Text, ct);
                await copy.WriteAsync(record.Variant, NpgsqlDbType.Text, ct);
                await copy.WriteAsync(record.Predictions[row], NpgsqlDbType.Double, ct);
                await copy.WriteAsync(layoutId, NpgsqlDbType.Integer, ct);
                await copy.WriteAsync(logged.Numbers(row), NpgsqlDbType.Array | NpgsqlDbType.Double, ct);
                await copy.WriteAsync(logged.Texts(row), NpgsqlDbType.Array | NpgsqlDbType.Text, ct);
                await copy.WriteAsync(record.SubjectHash, NpgsqlDbType.Text, ct);
                await copy.WriteAsync(record.LatencyMicros, NpgsqlDbType.Bigint, ct);
                await copy.WriteAsync(record.Mode, NpgsqlDbType.Text, ct);
                await copy.WriteAsync(logged.Flags, NpgsqlDbType.Array | NpgsqlDbType.Text, ct);
                await copy.WriteAsync(logged.ShadowOf, NpgsqlDbType.Uuid, ct);
                await copy.WriteAsync(logged.SamplingRate, NpgsqlDbType.Double, ct);
            }
        }

        await copy.CompleteAsync(ct);
    }

    [LoggerMessage(
        Level = LogLevel.Information, Message = "Batch {BatchId} held {Count} records that were in the log already")]
    private partial void LogRepeated(Guid batchId, int count);
}
