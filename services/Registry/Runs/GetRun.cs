using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Runs;

/// <summary>One run with its parameters, tags and newest metrics.</summary>
internal sealed class GetRun(NpgsqlDataSource source)
{
    /// <exception cref="NotFoundException">RUN_UNKNOWN</exception>
    public async Task<Run> HandleAsync(string runId, CancellationToken ct) =>
        await source.QueryFirstOrDefaultAsync(RunRows.Select + "where r.run_id = $1", [runId], RunRows.Map, ct)
        ?? throw RunRows.Unknown(runId);
}
