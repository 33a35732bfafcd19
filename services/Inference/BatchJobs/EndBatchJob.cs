using MlOps.Contracts.Events;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.BatchJobs.Files;
using MlOps.Inference.BatchJobs.Outputs;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs;

/// <summary>Ends a job that goes on without a result: it failed, or somebody cancelled it. Partitions under way stop.</summary>
internal sealed partial class EndBatchJob(
    NpgsqlDataSource source, Outbox outbox, BatchJobRows jobs, BatchChanges changes, IBatchFiles files, TableTarget tables,
    BatchTelemetry telemetry, TimeProvider time, ILogger<EndBatchJob> logger)
{
    private const int LongestFailure = 2_000;

    /// <exception cref="NotFoundException">BATCH_JOB_UNKNOWN.</exception>
    /// <exception cref="ConflictException">BATCH_JOB_ENDED: it has completed or failed already.</exception>
    public async Task<BatchJob> CancelAsync(string id, CancellationToken ct)
    {
        var job = BatchJobRows.IdOf(id);
        var state = await source.InTransactionAsync(
            async transaction =>
            {
                var state = await transaction.QueryFirstOrDefaultAsync(
                    "select state from batch_job where job_id = $1 for update", [job], r => r.GetString(0), ct)
                    ?? throw BatchJobRows.Unknown(id);
                if (state is "completed" or "failed") throw new ConflictException("BATCH_JOB_ENDED", $"Batch job {id} has {state} already.");
                if (state != "cancelled") await EndAsync(transaction, job, "cancelled", null, ct);
                return state;
            },
            ct);
        if (state != "cancelled") await TidyAsync(job, ct);
        return await jobs.GetAsync(id, ct);
    }

    /// <summary>Fails the job unless it has ended already.</summary>
    public async Task FailAsync(Guid job, string failure, CancellationToken ct)
    {
        if (await source.InTransactionAsync(transaction => TryFailAsync(transaction, job, failure, ct), ct)) await TidyAsync(job, ct);
    }

    /// <summary>The same in a transaction of the caller's, who calls <see cref="TidyAsync"/> once it has committed.</summary>
    public async Task<bool> TryFailAsync(NpgsqlTransaction transaction, Guid job, string failure, CancellationToken ct)
    {
        var model = await transaction.QueryFirstOrDefaultAsync(
            "select model, model_version from batch_job where job_id = $1 and state in ('queued', 'running', 'publishing') for update",
            [job], r => Tuple.Create(r.GetString(0), r.GetInt32(1)), ct);
        if (model is null) return false;
        var text = failure.Length <= LongestFailure ? failure : failure[..LongestFailure];
        await EndAsync(transaction, job, "failed", text.Replace('\0', '\uFFFD'), ct);
        await outbox.AddAsync(transaction, new BatchJobFailed(job, model.Item1, model.Item2, text), ct);
        LogFailed(job, model.Item1, text);
        return true;
    }

    /// <summary>Tells watchers, and deletes what a job that has ended without a result left in the file store and staged for its table.</summary>
    public async Task TidyAsync(Guid job, CancellationToken ct)
    {
        changes.Signal();
        var spec = await source.QueryFirstOrDefaultAsync(
            "select spec from batch_job where job_id = $1 and state in ('failed', 'cancelled')", [job],
            r => BatchJobRows.ParseSpec(r.GetString(0)), ct);
        if (spec is null) return;
        await files.DeleteAsync(PartFile.Folder(job), ct);
        if (spec.OutputCase != BatchJobSpec.OutputOneofCase.Table) return;
        try
        {
            await tables.DropAsync(spec.Table, job, ct);
        }
        catch (NpgsqlException e)
        {
            // The job has ended all the same; the sweep drops it with the job.
            LogStagingKept(job, e.Message);
        }
    }

    private async Task EndAsync(NpgsqlTransaction transaction, Guid job, string state, string? failure, CancellationToken ct)
    {
        await transaction.ExecuteAsync(
            "update batch_job set state = $2, failure = $3, finished_at = $4 where job_id = $1",
            [job, state, failure, time.GetUtcNow()], ct);
        telemetry.Jobs.Add(1, new KeyValuePair<string, object?>("outcome", state));
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Batch job {Job} of model {Model} failed: {Failure}")]
    private partial void LogFailed(Guid job, string model, string failure);

    [LoggerMessage(Level = LogLevel.Warning, Message = "What batch job {Job} staged for its table stays for now: {Reason}")]
    private partial void LogStagingKept(Guid job, string reason);
}
