using Microsoft.Extensions.Options;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.BatchJobs.Files;
using MlOps.Inference.BatchJobs.Outputs;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs;

/// <summary>Forgets ended jobs with their results, and inputs nobody asks for, once their time of retention is over.</summary>
internal sealed partial class SweepBatchJobs(
    NpgsqlDataSource source, DatabaseState database, IBatchFiles files, TableTarget tables, IOptions<BatchOptions> options, TimeProvider time,
    ILogger<SweepBatchJobs> logger)
    : BackgroundService
{
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await database.WaitUntilMigratedAsync(stoppingToken);
        using var timer = new PeriodicTimer(Interval, time);
        do
        {
            try
            {
                await SweepAsync(stoppingToken);
            }
            catch (Exception e) when (e is NpgsqlException or IOException or UnauthorizedAccessException)
            {
                LogNotSwept(e.Message);
            }
        }
        while (await timer.WaitForNextTickAsync(stoppingToken));
    }

    internal async Task SweepAsync(CancellationToken ct)
    {
        var cutoff = time.GetUtcNow() - options.Value.Retention;
        var jobs = await source.QueryAsync(
            "select job_id, spec from batch_job where finished_at < $1 and files = $2", [cutoff, files.Id],
            r => (Id: r.GetGuid(0), Spec: BatchJobRows.ParseSpec(r.GetString(1))), ct);
        var forgotten = 0;
        foreach (var (job, spec) in jobs) forgotten += await TryForgetAsync(job, spec, ct) ? 1 : 0;

        var inputs = await source.QueryAsync(
            """
            delete from batch_input i where used_at < $1 and files = $2 and not exists (
                select 1 from batch_job j where j.state in ('queued', 'running', 'publishing')
                  and (j.input_digest = i.digest or j.spec ->> 'inputDigest' = i.digest))
            returning file
            """,
            [cutoff, files.Id], r => r.GetString(0), ct);
        foreach (var input in inputs) await files.DeleteAsync(input, ct);
        if (forgotten + inputs.Count > 0) LogSwept(forgotten, inputs.Count);
    }

    // The row goes last: what could not be deleted, of a database that is away, is found by the next sweep.
    private async Task<bool> TryForgetAsync(Guid job, BatchJobSpec spec, CancellationToken ct)
    {
        try
        {
            if (spec.OutputCase == BatchJobSpec.OutputOneofCase.Table) await tables.DropAsync(spec.Table, job, ct);
            await files.DeleteAsync(PartFile.Folder(job), ct);
            await files.DeleteAsync(PartFile.Result(job, Inputs.TextFormat.Csv), ct);
            await files.DeleteAsync(PartFile.Result(job, Inputs.TextFormat.JsonLines), ct);
            await source.ExecuteAsync("delete from batch_job where job_id = $1", [job], ct);
            return true;
        }
        catch (Exception e) when (e is NpgsqlException or IOException or UnauthorizedAccessException)
        {
            LogNotForgotten(job, e.Message);
            return false;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "{Jobs} ended batch jobs and {Inputs} unused inputs are forgotten")]
    private partial void LogSwept(int jobs, int inputs);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Batch job {Job} could not be forgotten; trying again in an hour: {Reason}")]
    private partial void LogNotForgotten(Guid job, string reason);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Old batch jobs could not be swept; trying again in an hour: {Reason}")]
    private partial void LogNotSwept(string reason);
}
