using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Runs;

/// <summary>
/// Makes the run, or starts an unfinished one of that id again: one more attempt, without the metrics of the earlier one.
/// </summary>
internal sealed class CreateRun(NpgsqlDataSource source, RegistryMetrics metrics, TimeProvider time)
{
    /// <exception cref="InvalidRequestException">RUN_INVALID, PARAMETER_CHANGED</exception>
    /// <exception cref="ConflictException">
    /// RUN_FINISHED; RUN_ID_TAKEN by a run of another experiment, parent or data set.
    /// </exception>
    public async Task<Run> HandleAsync(CreateRunRequest request, CancellationToken ct)
    {
        Check(request);
        var runId = request.RunId.Length > 0 ? request.RunId : Guid.CreateVersion7().ToString("N");
        var run = await source.InTransactionAsync(
            async transaction =>
            {
                var isNew = await TryInsertAsync(transaction, runId, request, ct);
                if (!isNew) await RestartAsync(transaction, runId, request, ct);
                await RunEntries.WriteParametersAsync(transaction, runId, request.Parameters, ct);
                await RunEntries.WriteTagsAsync(transaction, runId, request.Tags, ct);
                return await RunRows.ReadAsync(transaction, runId, ct);
            },
            ct);
        metrics.RunsStarted.Add(1);
        return run;
    }

    private static void Check(CreateRunRequest request)
    {
        var violations = new Violations();
        violations.CheckRunId("run_id", request.RunId);
        violations.CheckRunId("parent_run_id", request.ParentRunId);
        violations.AddIf(request.Experiment.Length == 0, "experiment", "must be given");
        violations.CheckText("experiment", request.Experiment, 500);
        violations.CheckText("name", request.Name, 250);
        violations.CheckText("dataset_digest", request.DatasetDigest, 250);
        RunEntries.Check(violations, request.Parameters, request.Tags);
        violations.ThrowIfAny("RUN_INVALID");
    }

    private async Task<bool> TryInsertAsync(
        NpgsqlTransaction transaction, string runId, CreateRunRequest request, CancellationToken ct) =>
        await transaction.ExecuteAsync(
            """
            insert into run (run_id, experiment, name, status, created_at, started_at, parent_run_id, dataset_digest)
            values ($1, $2, $3, $4, $5, $5, $6, $7)
            on conflict do nothing
            """,
            [runId, request.Experiment, request.Name, (short)Run.Types.Status.Running, time.GetUtcNow(), request.ParentRunId,
             request.DatasetDigest],
            ct) == 1;

    private async Task RestartAsync(
        NpgsqlTransaction transaction, string runId, CreateRunRequest request, CancellationToken ct)
    {
        var status = await RunRows.LockAsync(transaction, runId, ct);
        if (status != Run.Types.Status.Running) throw RunRows.Finished(runId, status);

        var isSame = await transaction.ExecuteAsync(
            """
            update run set attempt = attempt + 1, started_at = $2, name = $3
            where run_id = $1 and experiment = $4 and parent_run_id = $5 and dataset_digest = $6
            """,
            [runId, time.GetUtcNow(), request.Name, request.Experiment, request.ParentRunId, request.DatasetDigest],
            ct) == 1;
        if (!isSame)
        {
            throw new ConflictException(
                "RUN_ID_TAKEN",
                $"Run {runId} exists with another experiment, parent or data set; a run id names one run for good.");
        }

        await transaction.ExecuteAsync("delete from run_metric where run_id = $1", [runId], ct);
    }
}
