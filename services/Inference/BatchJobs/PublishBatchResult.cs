using System.Globalization;
using MlOps.Contracts.Events;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.BatchJobs.Files;
using MlOps.Inference.BatchJobs.Inputs;
using MlOps.Inference.BatchJobs.Outputs;
using MlOps.Inference.Models;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs;

/// <summary>
/// Puts the result of a job whose partitions are all scored in place, in one step, and completes the job. One publisher at
/// a time holds the job's row; one that is lost leaves nothing that the next does not do again.
/// </summary>
internal sealed partial class PublishBatchResult(
    NpgsqlDataSource source, Outbox outbox, ModelHost host, IBatchFiles files, TableTarget tables, EndBatchJob end,
    BatchChanges changes, BatchTelemetry telemetry, TimeProvider time, ILogger<PublishBatchResult> logger)
{
    public async Task HandleAsync(Guid id, CancellationToken ct)
    {
        var begun = await source.ExecuteAsync(
            """
            update batch_job set state = 'publishing'
            where job_id = $1 and state = 'running' and partitions_scored = partitions and files = $2
            """,
            [id, files.Id], ct);
        if (begun == 1) changes.Signal();
        try
        {
            if (!await source.InTransactionAsync(transaction => PublishAsync(transaction, id, ct), ct)) return;
        }
        catch (InvalidRequestException e)
        {
            await end.FailAsync(id, e.Message, ct);
            return;
        }

        changes.Signal();
        await files.DeleteAsync(PartFile.Folder(id), ct);
    }

    private async Task<bool> PublishAsync(NpgsqlTransaction transaction, Guid id, CancellationToken ct)
    {
        var job = await transaction.QueryFirstOrDefaultAsync(
            """
            select spec, model_version, format, partitions, rows_scored, rows_quarantined from batch_job
            where job_id = $1 and state = 'publishing' and files = $2 for update
            """,
            [id, files.Id],
            r => new ScoredJob(
                id, BatchJobRows.ParseSpec(r.GetString(0)), r.GetInt32(1), TextFormats.Named(r.GetString(2)), r.GetInt32(3),
                r.GetInt64(4), r.GetInt64(5)),
            ct);
        if (job is null) return false;
        using var activity = BatchTelemetry.Activities.StartActivity("publish batch result");
        activity?.SetTag("mlops.batch_job", id);
        using var lease = await host.AcquireAsync(job.Spec.Model, job.Version.ToString(CultureInfo.InvariantCulture), ct);
        var bytes = 0L;
        if (job.Spec.OutputCase == BatchJobSpec.OutputOneofCase.Table) await tables.PublishAsync(job.Spec, id, lease.Model, ct);
        else bytes = await JoinPartsAsync(job, PartitionScorer.WriterOf(job.Spec, job.Format, lease.Model), ct);
        await transaction.ExecuteAsync(
            "update batch_job set state = 'completed', finished_at = $2, result_bytes = $3 where job_id = $1",
            [id, time.GetUtcNow(), bytes], ct);
        await outbox.AddAsync(
            transaction, new BatchJobCompleted(id, job.Spec.Model, job.Version, job.RowsScored, job.RowsQuarantined), ct);
        telemetry.Jobs.Add(1, new KeyValuePair<string, object?>("outcome", "completed"));
        LogCompleted(id, job.RowsScored, job.RowsQuarantined);
        return true;
    }

    private async Task<long> JoinPartsAsync(ScoredJob job, IRowWriter writer, CancellationToken ct)
    {
        var bytes = 0L;
        var format = TextFormats.Of(job.Spec.FileFormat) ?? job.Format;
        await files.WriteAsync(
            PartFile.Result(job.Id, format),
            async result =>
            {
                bytes = writer.Header.Length;
                await result.WriteAsync(writer.Header, ct);
                var buffer = new byte[1 << 20];
                for (var number = 1; number <= job.Partitions; number++)
                {
                    await using var part = await files.OpenAsync(PartFile.Of(job.Id, number), ct);
                    while (await part.ReadAsync(buffer, ct) is var read and > 0)
                    {
                        await result.WriteAsync(buffer.AsMemory(0, read), ct);
                        bytes += read;
                    }
                }
            },
            ct);
        return bytes;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Batch job {Job} is completed: {Scored} rows scored, {Quarantined} quarantined")]
    private partial void LogCompleted(Guid job, long scored, long quarantined);

    private sealed record ScoredJob(
        Guid Id, BatchJobSpec Spec, int Version, TextFormat Format, int Partitions, long RowsScored, long RowsQuarantined);
}
