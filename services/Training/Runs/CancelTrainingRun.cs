using MlOps.Contracts.Events;
using MlOps.Contracts.Training.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Training.Runs;

/// <summary>Ends a run without a model: waiting trials are not taken any more, running ones stop between rounds. Cancelling again changes nothing.</summary>
internal sealed partial class CancelTrainingRun(
    NpgsqlDataSource source, Outbox outbox, RunChanges changes, TimeProvider time, TrainingTelemetry telemetry,
    ILogger<CancelTrainingRun> logger)
{
    internal const string Reason = "The training run was cancelled.";

    /// <exception cref="NotFoundException">TRAINING_RUN_UNKNOWN.</exception>
    /// <exception cref="ConflictException">TRAINING_RUN_ENDED: it has completed or failed already.</exception>
    internal async Task<TrainingRun> HandleAsync(string id, CancellationToken ct)
    {
        if (!Guid.TryParse(id, out var guid)) throw TrainingRunRows.Unknown(id);
        // The row lock waits for a run that is just being finished: either it ends completed, or it ends cancelled.
        var isCancelledNow = await source.InTransactionAsync(
            async tx =>
            {
                var state = await tx.QueryFirstOrDefaultAsync(
                    "select state from training_runs where id = $1 for update", [guid], row => row.GetString(0), ct);
                if (state is null) throw TrainingRunRows.Unknown(id);
                if (state == "cancelled") return false;
                if (state is "completed" or "failed")
                    throw new ConflictException("TRAINING_RUN_ENDED", $"Training run {id} has {state} already.");
                await tx.ExecuteAsync(
                    "update training_runs set state = 'cancelled', finished_at = $2, failure = $3 where id = $1",
                    [guid, time.GetUtcNow(), Reason], ct);
                var ended = await tx.QueryAsync(
                    """
                    update trials set state = 'failed', failure = $2 where training_run_id = $1 and state = 'queued'
                    returning number
                    """,
                    [guid, Reason], row => row.GetInt32(0), ct);
                foreach (var number in ended) await outbox.AddAsync(tx, new TrialCompleted(guid, number, false), ct);
                return true;
            },
            ct);
        if (isCancelledNow)
        {
            telemetry.Runs.Add(1, new KeyValuePair<string, object?>("outcome", "cancelled"));
            LogCancelled(guid);
            changes.Signal();
        }
        return await TrainingRunRows.GetAsync(source, id, ct);
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Training run {TrainingRun} is cancelled")]
    private partial void LogCancelled(Guid trainingRun);
}
