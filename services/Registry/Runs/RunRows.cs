using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Runs;

/// <summary>Reads runs whole, each from one statement and so of one moment.</summary>
internal static class RunRows
{
    /// <summary>To be followed by where, order and limit over <c>r</c>.</summary>
    public const string Select =
        """
        select r.run_id, r.experiment, r.name, r.status, r.started_at, r.ended_at, r.parent_run_id, r.dataset_digest,
               r.failure, r.attempt, r.created_at, p.k, p.v, t.k, t.v, m.k, m.v
        from run r
        cross join lateral (
            select coalesce(array_agg(key), '{}') as k, coalesce(array_agg(value), '{}') as v
            from run_parameter where run_id = r.run_id) p
        cross join lateral (
            select coalesce(array_agg(key), '{}') as k, coalesce(array_agg(value), '{}') as v
            from run_tag where run_id = r.run_id) t
        cross join lateral (
            select coalesce(array_agg(key), '{}') as k, coalesce(array_agg(value), '{}') as v
            from (select distinct on (key) key, value from run_metric where run_id = r.run_id
                  order by key desc, step desc, time_micros desc, value desc) latest) m

        """;

    public const int CreatedAtColumn = 10;

    public static Run Map(NpgsqlDataReader row)
    {
        var run = new Run
        {
            RunId = row.GetString(0),
            Experiment = row.GetString(1),
            Name = row.GetString(2),
            Status = (Run.Types.Status)row.GetInt16(3),
            StartTimeMicros = row.GetMicros(4),
            EndTimeMicros = row.GetMicros(5),
            ParentRunId = row.GetString(6),
            DatasetDigest = row.GetString(7),
            Failure = row.GetString(8),
            Attempt = row.GetInt32(9),
        };
        foreach (var (key, value) in Pairs<string>(row, 11)) run.Parameters[key] = value;
        foreach (var (key, value) in Pairs<string>(row, 13)) run.Tags[key] = value;
        foreach (var (key, value) in Pairs<double>(row, 15)) run.Metrics[key] = value;
        return run;
    }

    /// <exception cref="NotFoundException">RUN_UNKNOWN</exception>
    public static async Task<Run> ReadAsync(NpgsqlTransaction transaction, string runId, CancellationToken ct) =>
        await transaction.QueryFirstOrDefaultAsync(Select + "where r.run_id = $1", [runId], Map, ct) ?? throw Unknown(runId);

    /// <summary>Locks the run until the transaction ends and answers where it stands.</summary>
    /// <exception cref="NotFoundException">RUN_UNKNOWN</exception>
    public static async Task<Run.Types.Status> LockAsync(
        NpgsqlTransaction transaction, string runId, CancellationToken ct) =>
        await transaction.QueryFirstOrDefaultAsync<Run.Types.Status?>(
            "select status from run where run_id = $1 for update", [runId], r => (Run.Types.Status)r.GetInt16(0), ct)
        ?? throw Unknown(runId);

    public static NotFoundException Unknown(string runId) => new("RUN_UNKNOWN", $"No run has the id '{runId}'.");

    public static ConflictException Finished(string runId, Run.Types.Status status) => new(
        "RUN_FINISHED", $"Run {runId} has ended ({status.ToString().ToLowerInvariant()}); take a new run id to try again.");

    private static IEnumerable<(string Key, T Value)> Pairs<T>(NpgsqlDataReader row, int column) =>
        row.GetFieldValue<string[]>(column).Zip(row.GetFieldValue<T[]>(column + 1));
}
