using MlOps.Contracts.Inference.V1;
using MlOps.Inference.BatchJobs.Files;
using MlOps.Inference.BatchJobs.Inputs;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs;

/// <summary>Opens the result file of a completed job, whole as it was published.</summary>
internal sealed class OpenBatchResult(NpgsqlDataSource source, BatchJobRows jobs, IBatchFiles files)
{
    /// <exception cref="NotFoundException">BATCH_JOB_UNKNOWN.</exception>
    /// <exception cref="ConflictException">BATCH_JOB_NOT_COMPLETED; BATCH_RESULT_IS_A_TABLE; BATCH_RESULT_ELSEWHERE.</exception>
    public async Task<BatchResult> HandleAsync(string id, CancellationToken ct)
    {
        var job = await jobs.GetAsync(id, ct);
        if (job.State != BatchJob.Types.State.Completed)
        {
            throw new ConflictException("BATCH_JOB_NOT_COMPLETED", $"Batch job {id} has no result: it is {Word(job.State)}.");
        }

        if (job.Spec.OutputCase == BatchJobSpec.OutputOneofCase.Table)
        {
            throw new ConflictException("BATCH_RESULT_IS_A_TABLE", $"The result of batch job {id} is the table {job.Spec.Table.Table} of {job.Spec.Table.Connection}.");
        }

        var guid = BatchJobRows.IdOf(id);
        var (owner, input) = await source.QueryFirstOrDefaultAsync(
            "select files, format from batch_job where job_id = $1", [guid], r => (r.GetString(0), r.GetString(1)), ct);
        if (owner != files.Id)
        {
            throw new ConflictException(
                "BATCH_RESULT_ELSEWHERE", $"The result lies in {owner} and this replica sees {files.Id}: replicas must share Inference:Batch:Folder or keep Inference:Batch:Files in the database.");
        }

        var format = TextFormats.Of(job.Spec.FileFormat) ?? TextFormats.Named(input);
        return new BatchResult(format, job.ResultBytes, await files.OpenAsync(PartFile.Result(guid, format), ct));
    }

    private static string Word(BatchJob.Types.State state) => state.ToString().ToLowerInvariant();
}

/// <summary>A result to be read to its end.</summary>
internal sealed record BatchResult(TextFormat Format, long Bytes, Stream Content);
