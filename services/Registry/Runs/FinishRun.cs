using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Runs;

/// <summary>Ends a run; ending it again the same way answers the run as it is.</summary>
internal sealed class FinishRun(NpgsqlDataSource source, TimeProvider time)
{
    // A stack trace may be long; what matters of it stands first.
    private const int KeptFailure = 8_000;

    /// <exception cref="InvalidRequestException">RUN_STATUS_INVALID</exception>
    /// <exception cref="NotFoundException">RUN_UNKNOWN</exception>
    /// <exception cref="ConflictException">RUN_FINISHED: it has ended another way.</exception>
    public Task<Run> HandleAsync(FinishRunRequest request, CancellationToken ct)
    {
        if (request.Status is not (Run.Types.Status.Finished or Run.Types.Status.Failed or Run.Types.Status.Killed))
        {
            throw new InvalidRequestException(
                "RUN_STATUS_INVALID", [new FieldViolation("status", "must be finished, failed or killed")]);
        }

        return source.InTransactionAsync(
            async transaction =>
            {
                var status = await RunRows.LockAsync(transaction, request.RunId, ct);
                if (status == Run.Types.Status.Running) await EndAsync(transaction, request, ct);
                else if (status != request.Status) throw RunRows.Finished(request.RunId, status);
                return await RunRows.ReadAsync(transaction, request.RunId, ct);
            },
            ct);
    }

    private async Task EndAsync(NpgsqlTransaction transaction, FinishRunRequest request, CancellationToken ct)
    {
        var failure = request.Failure.Replace("\0", "", StringComparison.Ordinal);
        if (failure.Length > KeptFailure) failure = failure[..KeptFailure] + "…";
        await transaction.ExecuteAsync(
            "update run set status = $2, ended_at = $3, failure = $4 where run_id = $1",
            [request.RunId, (short)request.Status, time.GetUtcNow(), failure], ct);
    }
}
