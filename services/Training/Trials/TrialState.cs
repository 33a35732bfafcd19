using MlOps.Contracts.Events;
using MlOps.Contracts.Training.V1;
using MlOps.ServiceDefaults;
using MlOps.Training.Runs;
using Npgsql;

namespace MlOps.Training.Trials;

/// <summary>A trial's way from queued to its end, each step guarded by the state in the database.</summary>
internal sealed class TrialState(NpgsqlDataSource source, Outbox outbox, RunChanges changes)
{
    /// <summary>Takes the trial; null when it has ended, or its training run has.</summary>
    internal async Task<TakenTrial?> TakeAsync(Guid trainingRun, int number, CancellationToken ct)
    {
        var taken = await source.InTransactionAsync(
            async tx =>
            {
                await tx.ExecuteAsync(
                    "update training_runs set state = 'running' where id = $1 and state = 'queued'", [trainingRun], ct);
                return await tx.QueryFirstOrDefaultAsync(
                    """
                    update trials t set state = 'running', attempts = attempts + 1
                    from training_runs r
                    where t.training_run_id = $1 and t.number = $2 and t.state in ('queued', 'running')
                      and r.id = t.training_run_id and r.state = 'running'
                    returning t.registry_run_id, t.parameters, t.attempts, r.pipeline
                    """,
                    [trainingRun, number],
                    row => new TakenTrial(
                        trainingRun, number, row.GetString(0), TrainingRunRows.ParseParameters(row.GetString(1)),
                        row.GetInt32(2), TrainingRunRows.ParsePipeline(row.GetString(3))),
                    ct);
            },
            ct);
        if (taken is not null) changes.Signal();
        return taken;
    }

    /// <summary>Stores the outcome and tells of it, once: false when the trial had ended already.</summary>
    internal async Task<bool> EndAsync(Guid trainingRun, int number, TrialOutcome outcome, CancellationToken ct)
    {
        var isStored = await source.InTransactionAsync(
            async tx =>
            {
                var rows = await tx.ExecuteAsync(
                    """
                    update trials set state = $3, validation_rmse = $4, best_round = $5, model_digest = $6,
                        duration_seconds = $7, failure = $8
                    where training_run_id = $1 and number = $2 and state in ('queued', 'running')
                    """,
                    [
                        trainingRun, number, outcome.Succeeded ? "completed" : "failed", outcome.ValidationRmse,
                        outcome.BestRound, outcome.ModelDigest, outcome.DurationSeconds, outcome.Failure,
                    ],
                    ct);
                if (rows == 1) await outbox.AddAsync(tx, new TrialCompleted(trainingRun, number, outcome.Succeeded), ct);
                return rows == 1;
            },
            ct);
        if (isStored) changes.Signal();
        return isStored;
    }

    /// <summary>True when the trial counts as running although its training run has ended.</summary>
    internal async Task<bool> IsLeftBehindAsync(Guid trainingRun, int number, CancellationToken ct) =>
        (await source.QueryAsync(
            """
            select 1 from trials t join training_runs r on r.id = t.training_run_id
            where r.id = $1 and t.number = $2 and t.state = 'running' and r.state in ('cancelled', 'failed')
            """,
            [trainingRun, number], row => row.GetInt32(0), ct)).Count > 0;

    /// <summary>Puts a trial back that this process must leave before it is done; any worker takes it next.</summary>
    internal Task HandBackAsync(Guid trainingRun, int number, CancellationToken ct) => source.InTransactionAsync(
        async tx =>
        {
            var rows = await tx.ExecuteAsync(
                "update trials set state = 'queued' where training_run_id = $1 and number = $2 and state in ('queued', 'running')",
                [trainingRun, number], ct);
            if (rows == 1) await outbox.AddAsync(tx, new TrialRequested(trainingRun, number), ct);
        },
        ct);
}

/// <summary>A trial in a worker's hands.</summary>
internal sealed record TakenTrial(
    Guid TrainingRun, int Number, string RegistryRunId, IReadOnlyDictionary<string, string> Parameters, int Attempts, Pipeline Pipeline);
