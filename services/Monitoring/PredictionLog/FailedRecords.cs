using Google.Protobuf;
using Npgsql;
using NpgsqlTypes;

namespace MlOps.Monitoring.PredictionLog;

/// <summary>Requests without a prediction: one row each, whole, inputs included.</summary>
internal static class FailedRecords
{
    public static async Task AddAsync(NpgsqlTransaction transaction, IReadOnlyList<LoggedRecord> records, CancellationToken ct)
    {
        if (records.Count == 0) return;
        // A transaction that has begun has its connection.
        await using var copy = await transaction.Connection!.BeginBinaryImportAsync(
            """
            copy prediction_failure (prediction_id, time, model, version, variant, failure, flags, inputs, subject_hash,
                latency_micros, mode, shadow_of, sampling_rate) from stdin (format binary)
            """,
            ct);
        foreach (var logged in records)
        {
            var record = logged.Record;
            await copy.StartRowAsync(ct);
            await copy.WriteAsync(logged.Id, NpgsqlDbType.Uuid, ct);
            await copy.WriteAsync(logged.Time, NpgsqlDbType.TimestampTz, ct);
            await copy.WriteAsync(record.Model, NpgsqlDbType.Text, ct);
            await copy.WriteAsync(record.Version, NpgsqlDbType.Text, ct);
            await copy.WriteAsync(record.Variant, NpgsqlDbType.Text, ct);
            await copy.WriteAsync(record.Failure, NpgsqlDbType.Text, ct);
            await copy.WriteAsync(logged.Flags, NpgsqlDbType.Array | NpgsqlDbType.Text, ct);
            await copy.WriteAsync(record.Inputs?.ToByteArray() ?? [], NpgsqlDbType.Bytea, ct);
            await copy.WriteAsync(record.SubjectHash, NpgsqlDbType.Text, ct);
            await copy.WriteAsync(record.LatencyMicros, NpgsqlDbType.Bigint, ct);
            await copy.WriteAsync(record.Mode, NpgsqlDbType.Text, ct);
            await copy.WriteAsync(logged.ShadowOf, NpgsqlDbType.Uuid, ct);
            await copy.WriteAsync(logged.SamplingRate, NpgsqlDbType.Double, ct);
        }

        await copy.CompleteAsync(ct);
    }
}
