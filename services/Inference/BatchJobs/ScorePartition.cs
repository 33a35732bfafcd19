using System.Globalization;
using MlOps.Contracts.Events;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.BatchJobs.Files;
using MlOps.Inference.BatchJobs.Inputs;
using MlOps.Inference.BatchJobs.Rows;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs;

/// <summary>
/// Scores one partition, whoever takes it and however often: its rows, its part of the output and its place in the job's
/// counts take effect once.
/// </summary>
internal sealed partial class ScorePartition(
    NpgsqlDataSource source, Outbox outbox, IBatchFiles files, PartitionScorer scorer, EndBatchJob end, BatchChanges changes,
    BatchTelemetry telemetry, IHostApplicationLifetime lifetime, TimeProvider time, ILogger<ScorePartition> logger)
{
    /// <summary>A partition that took so many workers with it is given up.</summary>
    public const int MaxAttempts = 5;

    private const int MaxKeptFaults = 1_000;

    public async Task HandleAsync(Guid job, int number, CancellationToken ct)
    {
        if (await TakeAsync(job, number, ct) is not { } taken) return;
        using var activity = BatchTelemetry.Activities.StartActivity("score partition");
        activity?.SetTag("mlops.batch_job", job).SetTag("mlops.partition", number).SetTag("mlops.attempt", taken.Attempts);
        if (taken.Attempts > MaxAttempts)
        {
            await end.FailAsync(job, $"Partition {number} was given up: {MaxAttempts} workers died over it.", ct);
            return;
        }

        var started = time.GetTimestamp();
        using var leaving = CancellationTokenSource.CreateLinkedTokenSource(ct, lifetime.ApplicationStopping);
        var progress = new PartitionProgress(source, job, number, time, leaving.Token);
        await using (progress)
        {
            try
            {
                var scored = await scorer.ScoreAsync(taken, progress, progress.Token);
                await EndAsync(taken, scored, ct);
                telemetry.PartitionDuration.Record(time.GetElapsedTime(started).TotalSeconds, new KeyValuePair<string, object?>("model", taken.Spec.Model));
            }
            catch (OperationCanceledException) when (progress.IsJobEnded)
            {
                await end.TidyAsync(job, ct);
            }
            catch (InvalidRequestException e)
            {
                await end.FailAsync(job, $"Partition {number} cannot be scored: {e.Message}", ct);
            }
            catch (Exception e)
            {
                await GiveBackAsync(job, number, isAskedAgain: lifetime.ApplicationStopping.IsCancellationRequested);
                if (!lifetime.ApplicationStopping.IsCancellationRequested) throw;
                LogGivenBack(job, number, e.GetType().Name);
            }
        }
    }

    // Null: it is scored, its job has ended, or others share the job's files.
    private Task<TakenPartition?> TakeAsync(Guid job, int number, CancellationToken ct) => source.QueryFirstOrDefaultAsync(
        """
        update batch_partition p set state = 'running', attempts = attempts + 1, rows_done = 0
        from batch_job j
        where p.job_id = $1 and p.number = $2 and p.state in ('queued', 'running')
          and j.job_id = p.job_id and j.state = 'running' and j.files = $3
        returning p.byte_offset, p.byte_length, p.first_row, p.first_line, p.rows, p.attempts, j.spec, j.model_version,
            j.input_file, j.format, j.columns, j.key_columns, j.scheduled_for
        """,
        [job, number, files.Id],
        r => new TakenPartition(
            job, number, new InputPartition(r.GetInt64(0), r.GetInt32(1), r.GetInt64(2), r.GetInt64(3), r.GetInt32(4)),
            r.GetInt32(5), BatchJobRows.ParseSpec(r.GetString(6)), r.GetInt32(7), r.GetString(8), TextFormats.Named(r.GetString(9)),
            r.GetFieldValue<string[]>(10), r.GetFieldValue<string[]>(11), r.IsDBNull(12) ? null : r.GetFieldValue<DateTimeOffset>(12)),
        ct);

    private async Task EndAsync(TakenPartition taken, ScoredPartition scored, CancellationToken ct)
    {
        var isOver = await source.InTransactionAsync(
            async transaction =>
            {
                var isFirst = await transaction.ExecuteAsync(
                    """
                    update batch_partition set state = 'scored', rows_done = rows
                    where job_id = $1 and number = $2 and state <> 'scored'
                      and exists (select 1 from batch_job where job_id = $1 and state = 'running')
                    """,
                    [taken.Job, taken.Number], ct) == 1;
                // Scored before, or its job ended meanwhile.
                if (!isFirst) return true;
                await KeepFaultsAsync(transaction, taken, scored.Faults, ct);
                var (rows, bad) = await transaction.QueryFirstOrDefaultAsync(
                    """
                    update batch_job set partitions_scored = partitions_scored + 1, rows_scored = rows_scored + $2,
                        rows_quarantined = rows_quarantined + $3
                    where job_id = $1 returning rows, rows_quarantined
                    """,
                    [taken.Job, scored.Rows, (long)scored.Faults.Count], r => (r.GetInt64(0), r.GetInt64(1)), ct);
                await outbox.AddAsync(transaction, new BatchPartitionScored(taken.Job, taken.Number), ct);
                Count(taken, scored);
                return bad > Math.Floor(taken.Spec.MaxBadShare * rows)
                    && await end.TryFailAsync(transaction, taken.Job, TooManyBad(taken.Spec, rows, bad), ct);
            },
            ct);
        if (isOver) await end.TidyAsync(taken.Job, ct);
        changes.Signal();
    }

    private static string TooManyBad(BatchJobSpec spec, long rows, long bad) => string.Create(
        CultureInfo.InvariantCulture, $"{bad} of {rows} rows are bad, a share above {spec.MaxBadShare:0.######}; the quarantine says why.");

    private static Task KeepFaultsAsync(
        NpgsqlTransaction transaction, TakenPartition taken, IReadOnlyList<RowFault> faults, CancellationToken ct)
    {
        RowFault[] kept = [.. faults.OrderBy(f => f.Row).Take(MaxKeptFaults)];
        return kept.Length == 0 ? Task.CompletedTask : transaction.ExecuteAsync(
            """
            insert into batch_quarantine (job_id, partition, row, line, reason, content)
            select $1, $2, * from unnest($3, $4, $5, $6)
            """,
            [
                taken.Job, taken.Number, kept.Select(f => f.Row).ToArray(), kept.Select(f => f.Line).ToArray(),
                kept.Select(f => f.Reason).ToArray(), kept.Select(f => f.Content).ToArray(),
            ],
            ct);
    }

    private void Count(TakenPartition taken, ScoredPartition scored)
    {
        telemetry.Rows.Add(scored.Rows, new("model", taken.Spec.Model), new("outcome", "scored"));
        if (scored.Faults.Count > 0) telemetry.Rows.Add(scored.Faults.Count, new("model", taken.Spec.Model), new("outcome", "quarantined"));
    }

    // A worker that is alive has not died over it. One that stops in order asks for another; its message is acknowledged.
    private Task GiveBackAsync(Guid job, int number, bool isAskedAgain) => source.InTransactionAsync(
        async transaction =>
        {
            var given = await transaction.ExecuteAsync(
                """
                update batch_partition set state = 'queued', attempts = attempts - 1, rows_done = 0
                where job_id = $1 and number = $2 and state = 'running'
                """,
                [job, number], CancellationToken.None);
            if (given == 1 && isAskedAgain) await outbox.AddAsync(transaction, new BatchPartitionRequested(job, number), CancellationToken.None);
        },
        CancellationToken.None);

    [LoggerMessage(Level = LogLevel.Information, Message = "Partition {Partition} of batch job {Job} goes back to the queue: this process stops ({Reason})")]
    private partial void LogGivenBack(Guid job, int partition, string reason);
}

/// <summary>A partition in a worker's hands, with what of its job concerns it.</summary>
internal sealed record TakenPartition(
    Guid Job, int Number, InputPartition Place, int Attempts, BatchJobSpec Spec, int Version, string InputFile, TextFormat Format,
    string[] Columns, string[] Keys, DateTimeOffset? ScheduledFor);

/// <summary>What came of it.</summary>
internal sealed record ScoredPartition(long Rows, IReadOnlyList<RowFault> Faults);
