using Grpc.Core;
using MlOps.Contracts.Events;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.BatchJobs.Features;
using MlOps.Inference.BatchJobs.Files;
using MlOps.Inference.BatchJobs.Inputs;
using MlOps.Inference.BatchJobs.Outputs;
using MlOps.Inference.BatchJobs.Rows;
using MlOps.Inference.Models;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs;

/// <summary>
/// Reads a queued job's input into the file store, once and for all partitions, checks that it fits the model, and asks
/// for every partition. A job whose planner dies is planned again.
/// </summary>
internal sealed partial class PlanBatchJob(
    NpgsqlDataSource source, Outbox outbox, ModelHost host, BatchInputs inputs, FeatureKeys featureKeys, IBatchFiles files,
    EndBatchJob end, BatchChanges changes, TimeProvider time, ILogger<PlanBatchJob> logger)
{
    public async Task HandleAsync(Guid id, CancellationToken ct)
    {
        if (await FindAsync(id, ct) is not { } job) return;
        // Those who share its files plan it.
        if (job.Files != files.Id) return;
        using var activity = BatchTelemetry.Activities.StartActivity("plan batch job");
        activity?.SetTag("mlops.batch_job", id);
        try
        {
            using var lease = await host.AcquireAsync(job.Spec.Model, job.VersionText, ct);
            var input = await inputs.ReadAsync(job.Spec, lease.Model, ct);
            var keys = NeedsFeatures(lease.Model, input) ? await featureKeys.OfAsync(lease.Model.FeatureService, ct) : [];
            Check(job.Spec, lease.Model, input, keys);
            await source.InTransactionAsync(transaction => StoreAsync(transaction, job, input, keys, ct), ct);
            changes.Signal();
        }
        catch (Exception e) when (e is DomainException
            or RpcException { StatusCode: StatusCode.NotFound or StatusCode.InvalidArgument or StatusCode.FailedPrecondition })
        {
            await end.FailAsync(id, e is RpcException rpc ? rpc.Status.Detail : e.Message, ct);
        }
    }

    private async Task<QueuedJob?> FindAsync(Guid id, CancellationToken ct) => await source.QueryFirstOrDefaultAsync(
        "select spec, model_version, files from batch_job where job_id = $1 and state = 'queued'",
        [id], r => new QueuedJob(id, BatchJobRows.ParseSpec(r.GetString(0)), r.GetInt32(1), r.GetString(2)), ct);

    private static bool NeedsFeatures(LoadedModel model, StoredInput input) =>
        model.FeatureService.Length > 0
        && model.Inputs.Any(i => i.RowWidth == 1 && !input.Columns.Contains(i.Name, StringComparer.Ordinal));

    /// <exception cref="InvalidRequestException">INPUT_COLUMNS, with everything that does not fit.</exception>
    private static void Check(BatchJobSpec spec, LoadedModel model, StoredInput input, string[] keys)
    {
        var violations = new Violations();
        RowPlan.Of(model, input.Columns, [.. spec.KeepColumns], keys, spec.PastFeatures?.AsOfColumn ?? "", violations);
        violations.ThrowIfAny("INPUT_COLUMNS");
        new OutputColumns([.. spec.KeepColumns], model.Outputs, HasPredictionId: true).Check(violations);
        violations.ThrowIfAny("INPUT_COLUMNS");
    }

    private async Task StoreAsync(
        NpgsqlTransaction transaction, QueuedJob job, StoredInput input, string[] keys, CancellationToken ct)
    {
        var planned = await transaction.ExecuteAsync(
            """
            update batch_job set state = 'running', started_at = $2, input_digest = $3, input_file = $4, format = $5, columns = $6,
                key_columns = $7, rows = $8, partitions = $9
            where job_id = $1 and state = 'queued'
            """,
            [
                job.Id, time.GetUtcNow(), input.Digest, input.File, input.Format.Name(), input.Columns, keys, input.Rows,
                input.Partitions.Count,
            ],
            ct);
        if (planned == 0) return;
        var numbers = Enumerable.Range(1, input.Partitions.Count).ToArray();
        await transaction.ExecuteAsync(
            """
            insert into batch_partition (job_id, number, byte_offset, byte_length, first_row, first_line, rows)
            select $1, * from unnest($2, $3, $4, $5, $6, $7)
            """,
            [
                job.Id, numbers, input.Partitions.Select(p => p.Offset).ToArray(), input.Partitions.Select(p => p.Length).ToArray(),
                input.Partitions.Select(p => p.FirstRow).ToArray(), input.Partitions.Select(p => p.FirstLine).ToArray(),
                input.Partitions.Select(p => p.Rows).ToArray(),
            ],
            ct);
        foreach (var number in numbers) await outbox.AddAsync(transaction, new BatchPartitionRequested(job.Id, number), ct);
        LogPlanned(job.Id, input.Rows, numbers.Length);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Batch job {Job} has {Rows} rows in {Partitions} partitions")]
    private partial void LogPlanned(Guid job, long rows, int partitions);

    private sealed record QueuedJob(Guid Id, BatchJobSpec Spec, int Version, string Files)
    {
        public string VersionText => Version.ToString(System.Globalization.CultureInfo.InvariantCulture);
    }
}
