using MlOps.Contracts.Events;
using MlOps.Contracts.Inference.V1;
using MlOps.Inference.BatchJobs.Files;
using MlOps.Inference.BatchJobs.Inputs;
using MlOps.Inference.Models;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.BatchJobs;

/// <summary>Stores a job, pinned to the version its selector means now, and asks for its input to be read; once per idempotency key.</summary>
internal sealed partial class CreateBatchJob(
    NpgsqlDataSource source, Outbox outbox, BatchSpecRules rules, ModelHost host, StoreInput inputs, IBatchFiles files,
    BatchJobRows jobs, TimeProvider time, ILogger<CreateBatchJob> logger)
{
    private const int LongestKey = 200;

    /// <exception cref="InvalidRequestException">BATCH_JOB_INVALID, with every broken rule.</exception>
    /// <exception cref="NotFoundException">MODEL_NOT_FOUND, MODEL_VERSION_NOT_FOUND, BATCH_INPUT_UNKNOWN.</exception>
    /// <exception cref="ConflictException">IDEMPOTENCY_KEY_REUSED: another job was made with the key.</exception>
    /// <exception cref="Grpc.Core.RpcException">Unavailable: the version cannot be served now.</exception>
    public async Task<BatchJob> HandleAsync(CreateBatchJobRequest request, CancellationToken ct)
    {
        var spec = request.Spec ?? new BatchJobSpec();
        if (await FindMadeAsync(request.IdempotencyKey, spec, ct) is { } made) return made;
        var violations = new Violations();
        violations.AddIf(request.IdempotencyKey.Length > LongestKey, "idempotency_key", $"must have at most {LongestKey} characters");
        rules.Check(spec, isScheduled: false, violations);
        violations.ThrowIfAny("BATCH_JOB_INVALID");

        var version = await PinAsync(spec, ct);
        var job = new NewBatchJob(Guid.CreateVersion7(time.GetUtcNow()), spec, version, request.IdempotencyKey, null, null);
        var isNew = await source.InTransactionAsync(transaction => AddAsync(transaction, job, ct), ct);
        return (isNew ? await jobs.FindAsync(job.Id, ct) : await FindMadeAsync(request.IdempotencyKey, spec, ct))
            ?? throw BatchJobRows.Unknown(job.Id.ToString("N"));
    }

    /// <summary>The version a job made now is pinned to.</summary>
    public async Task<int> PinAsync(BatchJobSpec spec, CancellationToken ct)
    {
        using var lease = await host.AcquireAsync(spec.Model, spec.Version, ct);
        return lease.Model.Version;
    }

    /// <summary>Stores the job in the transaction; false when its idempotency key, or its time of its schedule, has a job.</summary>
    public async Task<bool> AddAsync(NpgsqlTransaction transaction, NewBatchJob job, CancellationToken ct)
    {
        if (job.Spec.InputCase == BatchJobSpec.InputOneofCase.InputDigest
            && await inputs.FindAsync(transaction, job.Spec.InputDigest, ct) is null)
        {
            throw new NotFoundException("BATCH_INPUT_UNKNOWN", $"There is no input {job.Spec.InputDigest}: upload it.");
        }

        var stored = await transaction.ExecuteAsync(
            """
            insert into batch_job (job_id, idempotency_key, model, model_version, spec, files, schedule, scheduled_for, created_at)
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
            on conflict do nothing
            """,
            [
                job.Id, job.IdempotencyKey.Length > 0 ? job.IdempotencyKey : null, job.Spec.Model, job.Version,
                BatchJobRows.Json(job.Spec), files.Id, job.Schedule, job.ScheduledFor, time.GetUtcNow(),
            ],
            ct);
        if (stored == 0) return false;
        await outbox.AddAsync(transaction, new BatchJobRequested(job.Id), ct);
        LogCreated(job.Id, job.Spec.Model, job.Version);
        return true;
    }

    private async Task<BatchJob?> FindMadeAsync(string key, BatchJobSpec spec, CancellationToken ct)
    {
        if (key.Length == 0 || await jobs.FindByKeyAsync(key, ct) is not { } made) return null;
        return made.Spec.Equals(spec)
            ? made
            : throw new ConflictException("IDEMPOTENCY_KEY_REUSED", $"Another job, {made.JobId}, was made with this idempotency key.");
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Batch job {Job} of model {Model} version {Version} is queued")]
    private partial void LogCreated(Guid job, string model, int version);
}

/// <summary>A job about to be stored; schedule and time only where a schedule makes it.</summary>
internal sealed record NewBatchJob(
    Guid Id, BatchJobSpec Spec, int Version, string IdempotencyKey, string? Schedule, DateTimeOffset? ScheduledFor);
