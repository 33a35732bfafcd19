using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Rollouts;

/// <summary>Rollouts and what happened to them, from the database: the same on every replica.</summary>
internal sealed class ListRollouts(NpgsqlDataSource source)
{
    private const int Most = 100;

    /// <summary>The newest first, at most 100; of one model, or of all where it is empty.</summary>
    public Task<List<Rollout>> RunAsync(string model, CancellationToken ct) => source.QueryAsync(
        $"select {RolloutRows.Columns} from rollout where $1 = '' or model = $1 order by created_at desc, rollout_id desc limit {Most}",
        [model], RolloutRows.Read, ct);

    /// <summary>The one under way, else the newest.</summary>
    /// <exception cref="NotFoundException">ROLLOUT_NOT_FOUND.</exception>
    public async Task<Rollout> GetAsync(string model, CancellationToken ct) => await source.QueryFirstOrDefaultAsync(
        $"""
        select {RolloutRows.Columns} from rollout where model = $1
        order by ({RolloutRows.NotOver} and phase <> 'Initialized') desc, created_at desc, rollout_id desc limit 1
        """,
        [model], RolloutRows.Read, ct) ?? throw NotFound(model);

    public Task<List<RolloutEntry>> EntriesAsync(Guid rollout, CancellationToken ct) => source.QueryAsync(
        "select at, phase, step, weight, actor, message from rollout_entry where rollout_id = $1 order by sequence", [rollout],
        r => new RolloutEntry(
            r.GetFieldValue<DateTimeOffset>(0), r.GetString(1), r.GetInt32(2), r.GetDouble(3), r.GetString(4), r.GetString(5)),
        ct);

    internal static NotFoundException NotFound(string model) => new("ROLLOUT_NOT_FOUND", $"The model {model} has no rollout.");
}

/// <summary>One thing that happened to a rollout.</summary>
internal sealed record RolloutEntry(DateTimeOffset At, string Phase, int Step, double Weight, string Actor, string Message);
