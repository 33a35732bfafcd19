using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Runs;

/// <summary>
/// Adds metrics, parameters and tags to a run, all of them or none; a repeated call changes nothing when its metrics carry
/// their times. A run that has ended takes tags only.
/// </summary>
internal sealed class LogBatch(NpgsqlDataSource source, RegistryMetrics metrics, TimeProvider time)
{
    private const int MaxMetrics = 1_000;

    /// <exception cref="InvalidRequestException">BATCH_INVALID, PARAMETER_CHANGED</exception>
    /// <exception cref="NotFoundException">RUN_UNKNOWN</exception>
    /// <exception cref="ConflictException">RUN_FINISHED</exception>
    public async Task HandleAsync(LogBatchRequest request, CancellationToken ct)
    {
        Check(request);
        await source.InTransactionAsync(
            async transaction =>
            {
                var status = await RunRows.LockAsync(transaction, request.RunId, ct);
                if (status != Run.Types.Status.Running && request.Metrics.Count + request.Parameters.Count > 0)
                {
                    throw RunRows.Finished(request.RunId, status);
                }

                await RunEntries.WriteParametersAsync(transaction, request.RunId, request.Parameters, ct);
                await RunEntries.WriteTagsAsync(transaction, request.RunId, request.Tags, ct);
                await WriteMetricsAsync(transaction, request, ct);
            },
            ct);
        metrics.MetricPoints.Add(request.Metrics.Count);
    }

    private static void Check(LogBatchRequest request)
    {
        var violations = new Violations();
        violations.AddIf(request.Metrics.Count > MaxMetrics, "metrics", $"at most {MaxMetrics:N0} a call");
        foreach (var key in request.Metrics.Select(m => m.Key).Distinct()) violations.CheckKey("metrics", key);
        RunEntries.Check(violations, request.Parameters, request.Tags);
        violations.ThrowIfAny("BATCH_INVALID");
    }

    private async Task WriteMetricsAsync(NpgsqlTransaction transaction, LogBatchRequest request, CancellationToken ct)
    {
        if (request.Metrics.Count == 0) return;
        var now = Micros.From(time.GetUtcNow());
        await transaction.ExecuteAsync(
            """
            insert into run_metric (run_id, key, step, time_micros, value)
            select $1, key, step, time_micros, value
            from unnest($2::text[], $3::bigint[], $4::bigint[], $5::double precision[])
                as sent (key, step, time_micros, value)
            on conflict do nothing
            """,
            [
                request.RunId,
                request.Metrics.Select(m => m.Key).ToArray(),
                request.Metrics.Select(m => m.Step).ToArray(),
                request.Metrics.Select(m => m.TimeMicros == 0 ? now : m.TimeMicros).ToArray(),
                request.Metrics.Select(m => m.Value).ToArray(),
            ],
            ct);
    }
}
