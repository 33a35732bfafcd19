using System.Text.Json;
using Grpc.Core;
using MlOps.Contracts.Events;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Training.V1;
using MlOps.ServiceDefaults;
using MlOps.Training.Pipelines;
using MlOps.Training.Search;
using MlOps.Training.Trainers;
using Npgsql;
using NpgsqlTypes;

namespace MlOps.Training.Runs;

/// <summary>Stores a training run with its trials and asks for every trial, all or none; once per request id.</summary>
internal sealed partial class SubmitPipeline(
    NpgsqlDataSource source,
    Outbox outbox,
    TrainerCatalogue trainers,
    FeatureStoreService.FeatureStoreServiceClient features,
    TimeProvider time,
    ILogger<SubmitPipeline> logger)
{
    private static readonly TimeSpan SnapshotDeadline = TimeSpan.FromSeconds(10);

    /// <exception cref="InvalidRequestException">PIPELINE_INVALID, with every broken rule.</exception>
    /// <exception cref="NotFoundException">DATASET_UNKNOWN.</exception>
    /// <exception cref="ConflictException">TRAINER_UNAVAILABLE.</exception>
    internal async Task<TrainingRun> HandleAsync(SubmitPipelineRequest request, CancellationToken ct)
    {
        if (request.RequestId.Length > 0 && await FindByRequestAsync(request.RequestId, ct) is { } made) return made;

        var pipeline = request.Pipeline ?? new Pipeline();
        await CheckAsync(request, pipeline, ct);
        trainers.Get(pipeline.Trainer);

        var id = Guid.CreateVersion7(time.GetUtcNow());
        var isNew = await source.InTransactionAsync(tx => StoreAsync(tx, id, request.RequestId, pipeline, ct), ct);
        if (isNew) LogSubmitted(id, pipeline.Model, pipeline.Trainer);
        return (isNew ? await TrainingRunRows.FindAsync(source, id, ct) : await FindByRequestAsync(request.RequestId, ct))
            ?? throw TrainingRunRows.Unknown(id.ToString("N"));
    }

    private async Task CheckAsync(SubmitPipelineRequest request, Pipeline pipeline, CancellationToken ct)
    {
        var violations = new Violations();
        violations.AddIf(request.RequestId.Length > 200, "request_id", "must have at most 200 characters");
        PipelineRules.Check(pipeline, trainers, violations);
        NotFoundException? unknown = null;
        try
        {
            var snapshot = await features.GetSnapshotAsync(
                new GetSnapshotRequest { Digest = pipeline.DatasetDigest },
                deadline: (time.GetUtcNow() + SnapshotDeadline).UtcDateTime, cancellationToken: ct);
            PipelineRules.CheckColumns(pipeline, snapshot, violations);
        }
        catch (RpcException e) when (e.StatusCode is StatusCode.NotFound or StatusCode.InvalidArgument)
        {
            unknown = new NotFoundException("DATASET_UNKNOWN", $"FeatureStore has no dataset snapshot '{pipeline.DatasetDigest}'.");
        }
        violations.ThrowIfAny("PIPELINE_INVALID");
        if (unknown is not null) throw unknown;
    }

    private async Task<bool> StoreAsync(NpgsqlTransaction tx, Guid id, string requestId, Pipeline pipeline, CancellationToken ct)
    {
        var stored = await tx.ExecuteAsync(
            """
            insert into training_runs (id, request_id, model, pipeline, created_at) values ($1, $2, $3, $4, $5)
            on conflict (request_id) do nothing
            """,
            [id, requestId.Length > 0 ? requestId : null, pipeline.Model, Jsonb(TrainingRunRows.ToJson(pipeline)), time.GetUtcNow()],
            ct);
        if (stored == 0) return false;

        var configurations = GridSearch.Draw(
            [.. (pipeline.Search?.Dimensions ?? []).Select(d => new GridDimension(d.Parameter, d.Values))],
            Math.Max(pipeline.Search?.Trials ?? 1, 1), pipeline.Seed);
        var numbers = Enumerable.Range(1, configurations.Count).ToArray();
        await tx.ExecuteAsync(
            """
            insert into trials (training_run_id, number, registry_run_id, parameters)
            select $1, number, registry_run_id, parameters::jsonb from unnest($2, $3, $4) as t (number, registry_run_id, parameters)
            """,
            [
                id, numbers, numbers.Select(number => RegistryRunIds.ForTrial(id, number)).ToArray(),
                configurations.Select(drawn => JsonSerializer.Serialize(Merge(pipeline, drawn))).ToArray(),
            ],
            ct);
        foreach (var number in numbers) await outbox.AddAsync(tx, new TrialRequested(id, number), ct);
        return true;
    }

    private static SortedDictionary<string, string> Merge(Pipeline pipeline, IReadOnlyDictionary<string, string> drawn)
    {
        var merged = new SortedDictionary<string, string>(pipeline.Parameters, StringComparer.Ordinal);
        foreach (var (name, value) in drawn) merged[name] = value;
        return merged;
    }

    private async Task<TrainingRun?> FindByRequestAsync(string requestId, CancellationToken ct)
    {
        var ids = await source.QueryAsync(
            "select id from training_runs where request_id = $1", [requestId], row => row.GetGuid(0), ct);
        return ids.Count == 0 ? null : await TrainingRunRows.FindAsync(source, ids[0], ct);
    }

    private static NpgsqlParameter Jsonb(string json) => new() { Value = json, NpgsqlDbType = NpgsqlDbType.Jsonb };

    [LoggerMessage(Level = LogLevel.Information, Message = "Training run {TrainingRun} of model {Model} with {Trainer} is queued")]
    private partial void LogSubmitted(Guid trainingRun, string model, string trainer);
}
