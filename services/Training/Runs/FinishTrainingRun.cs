using MlOps.Contracts.Events;
using MlOps.Contracts.Registry.V1;
using MlOps.Contracts.Training.V1;
using MlOps.ServiceDefaults;
using MlOps.Training.Datasets;
using MlOps.Training.Trainers;
using Npgsql;
using NpgsqlTypes;

namespace MlOps.Training.Runs;

/// <summary>
/// Ends a run whose trials have all ended: evaluates the best, registers it, and tells of it. One finisher at a time holds
/// the run's row; one that is lost leaves nothing that the next does not find again.
/// </summary>
internal sealed partial class FinishTrainingRun(
    NpgsqlDataSource source,
    Outbox outbox,
    EvaluateModel evaluate,
    PublishModel publish,
    RunRecorder recorder,
    RunChanges changes,
    TimeProvider time,
    TrainingTelemetry telemetry,
    ILogger<FinishTrainingRun> logger)
{
    /// <summary>True when this call ended the run; false when it has ended or trials are still out.</summary>
    internal async Task<bool> HandleAsync(Guid trainingRun, CancellationToken ct)
    {
        using var activity = TrainingTelemetry.Activities.StartActivity("finish training run");
        activity?.SetTag("mlops.training_run", trainingRun);
        var isEnded = await source.InTransactionAsync(tx => FinishAsync(tx, trainingRun, ct), ct);
        if (isEnded) changes.Signal();
        else if (await IsCancelledAsync(trainingRun, ct)) await EndParentAsync(trainingRun, Run.Types.Status.Killed, CancelTrainingRun.Reason, ct);
        return isEnded;
    }

    /// <summary>Ends a run that cannot be finished; while trials are out nothing is lost, their own ends will finish it.</summary>
    internal async Task FailAsync(Guid trainingRun, string failure, CancellationToken ct)
    {
        var isEnded = await source.InTransactionAsync(
            async tx =>
            {
                if (await LockAsync(tx, trainingRun, ct) is not { } pipeline) return false;
                if ((await ReadTrialsAsync(tx, trainingRun, ct)).Any(IsOut)) return false;
                await FailAsync(tx, trainingRun, pipeline, failure, ct);
                return true;
            },
            ct);
        if (!isEnded) return;
        changes.Signal();
        // Last, for the registry may be what is away.
        await EndParentAsync(trainingRun, Run.Types.Status.Failed, failure, ct);
    }

    private async Task<bool> FinishAsync(NpgsqlTransaction tx, Guid trainingRun, CancellationToken ct)
    {
        if (await LockAsync(tx, trainingRun, ct) is not { } pipeline) return false;
        var trials = await ReadTrialsAsync(tx, trainingRun, ct);
        if (trials.Any(IsOut)) return false;

        var best = trials.Where(trial => trial.State == "completed").MinBy(trial => trial.ValidationRmse);
        if (best?.ModelDigest is not { } digest)
        {
            var failure = $"No trial succeeded: {string.Join("; ", trials.Select(trial => trial.Failure).Distinct())}";
            await EndParentAsync(trainingRun, Run.Types.Status.Failed, failure, ct);
            await FailAsync(tx, trainingRun, pipeline, failure, ct);
            return true;
        }
        try
        {
            var model = await evaluate.HandleAsync(pipeline, await recorder.DownloadAsync(digest, ct), ct);
            var version = await publish.HandleAsync(trainingRun, pipeline, best, model, ct);
            await CompleteAsync(tx, trainingRun, pipeline, best.Number, version, model, ct);
        }
        catch (Exception e) when (e is TrainerException or DatasetException or DomainException)
        {
            await EndParentAsync(trainingRun, Run.Types.Status.Failed, e.Message, ct);
            await FailAsync(tx, trainingRun, pipeline, e.Message, ct);
        }
        return true;
    }

    private static bool IsOut(EndedTrial trial) => trial.State is "queued" or "running";

    private static async Task<Pipeline?> LockAsync(NpgsqlTransaction tx, Guid trainingRun, CancellationToken ct) =>
        await tx.QueryFirstOrDefaultAsync(
            "select pipeline from training_runs where id = $1 and state in ('queued', 'running') for update",
            [trainingRun], row => TrainingRunRows.ParsePipeline(row.GetString(0)), ct);

    private static Task<List<EndedTrial>> ReadTrialsAsync(NpgsqlTransaction tx, Guid trainingRun, CancellationToken ct) =>
        tx.QueryAsync(
            """
            select number, state, validation_rmse, model_digest, failure, parameters from trials
            where training_run_id = $1 order by number
            """,
            [trainingRun],
            row => new EndedTrial(
                row.GetInt32(0), row.GetString(1), row.IsDBNull(2) ? double.NaN : row.GetDouble(2),
                row.IsDBNull(3) ? null : row.GetString(3), row.IsDBNull(4) ? "" : row.GetString(4),
                TrainingRunRows.ParseParameters(row.GetString(5))),
            ct);

    private async Task CompleteAsync(
        NpgsqlTransaction tx, Guid trainingRun, Pipeline pipeline, int best, int version, EvaluatedModel model, CancellationToken ct)
    {
        await tx.ExecuteAsync(
            """
            update training_runs set state = 'completed', best_trial = $2, model_version = $3, score = $4, baselines = $5,
                export_max_difference = $6, training_rows = $7, validation_rows = $8, test_rows = $9, finished_at = $10
            where id = $1
            """,
            [
                trainingRun, best, version, Jsonb(TrainingRunRows.ToJson(model.Score)), Jsonb(TrainingRunRows.ToJson(model.Baselines)),
                model.ExportMaxDifference, (long)model.TrainingRows, (long)model.ValidationRows, (long)model.TestRows, time.GetUtcNow(),
            ],
            ct);
        await outbox.AddAsync(tx, new TrainingRunCompleted(trainingRun, pipeline.Model, version), ct);
        telemetry.Runs.Add(1, new KeyValuePair<string, object?>("outcome", "completed"));
        LogCompleted(trainingRun, pipeline.Model, version, best, model.Score.Rmse);
    }

    private async Task FailAsync(NpgsqlTransaction tx, Guid trainingRun, Pipeline pipeline, string failure, CancellationToken ct)
    {
        await tx.ExecuteAsync(
            "update training_runs set state = 'failed', failure = $2, finished_at = $3 where id = $1",
            [trainingRun, failure, time.GetUtcNow()], ct);
        await outbox.AddAsync(tx, new TrainingRunFailed(trainingRun, pipeline.Model, failure), ct);
        telemetry.Runs.Add(1, new KeyValuePair<string, object?>("outcome", "failed"));
        LogFailed(trainingRun, pipeline.Model, failure);
    }

    private Task EndParentAsync(Guid trainingRun, Run.Types.Status status, string failure, CancellationToken ct) =>
        recorder.EndIfRunningAsync(RegistryRunIds.ForTrainingRun(trainingRun), status, failure, ct);

    /// <summary>True when the run was cancelled and its last trial has ended.</summary>
    private async Task<bool> IsCancelledAsync(Guid trainingRun, CancellationToken ct) =>
        (await source.QueryAsync(
            """
            select 1 from training_runs r where r.id = $1 and r.state = 'cancelled' and not exists (
                select 1 from trials t where t.training_run_id = r.id and t.state in ('queued', 'running'))
            """,
            [trainingRun], row => row.GetInt32(0), ct)).Count > 0;

    private static NpgsqlParameter Jsonb(string json) => new() { Value = json, NpgsqlDbType = NpgsqlDbType.Jsonb };

    [LoggerMessage(Level = LogLevel.Information, Message = "Training run {TrainingRun} made version {Version} of {Model} from trial {Trial}, test RMSE {Rmse}")]
    private partial void LogCompleted(Guid trainingRun, string model, int version, int trial, double rmse);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Training run {TrainingRun} of model {Model} failed: {Failure}")]
    private partial void LogFailed(Guid trainingRun, string model, string failure);
}
