using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Experiments;

/// <summary>Experiments as the database has them, the same on every replica.</summary>
internal sealed class ListExperiments(NpgsqlDataSource source)
{
    private const int Most = 1_000;

    /// <summary>The newest first, at most 1,000, without their periods; of one model, or of all where it is empty.</summary>
    public Task<List<Experiment>> RunAsync(string model, CancellationToken ct) => source.QueryAsync(
        $"select {ExperimentRows.Columns} from experiment where $1 = '' or model = $1 order by created_at desc, name limit {Most}",
        [model], ExperimentRows.Read, ct);

    /// <exception cref="NotFoundException">EXPERIMENT_NOT_FOUND.</exception>
    public async Task<Experiment> GetAsync(string name, CancellationToken ct)
    {
        var found = await source.QueryFirstOrDefaultAsync(
            $"select {ExperimentRows.Columns} from experiment where name = $1", [name], ExperimentRows.Read, ct) ?? throw NotFound(name);
        return found with { Periods = await source.QueryAsync(ExperimentRows.PeriodsOf, [name], ExperimentRows.ReadPeriod, ct) };
    }

    internal static NotFoundException NotFound(string name) => new("EXPERIMENT_NOT_FOUND", $"There is no experiment {name}.");
}
