using System.Text.Json;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Experiments;

/// <summary>Experiments in the database.</summary>
internal static class ExperimentRows
{
    public const string Columns =
        "name, model, state, revision, plan, created_at, updated_at, started_at, ended_at, policy_revision, policy_before, decision";

    /// <summary>With its periods, locked until the transaction ends; null: there is none.</summary>
    public static async Task<Experiment?> LockAsync(NpgsqlTransaction transaction, string name, CancellationToken ct)
    {
        var found = await transaction.QueryFirstOrDefaultAsync(
            $"select {Columns} from experiment where name = $1 for update", [name], Read, ct);
        return found is null
            ? null
            : found with { Periods = await transaction.QueryAsync(PeriodsOf, [name], ReadPeriod, ct) };
    }

    public static Task WriteAsync(NpgsqlTransaction transaction, Experiment experiment, CancellationToken ct) => transaction.ExecuteAsync(
        $"""
        insert into experiment ({Columns}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        on conflict (name) do update set
            model = excluded.model, state = excluded.state, revision = excluded.revision, plan = excluded.plan,
            updated_at = excluded.updated_at, started_at = excluded.started_at, ended_at = excluded.ended_at,
            policy_revision = excluded.policy_revision, policy_before = excluded.policy_before, decision = excluded.decision
        """,
        [
            experiment.Name, experiment.Model, experiment.State, experiment.Revision, TrafficPolicyChanges.Json(experiment.Plan),
            experiment.CreatedAt, experiment.UpdatedAt, experiment.StartedAt, experiment.EndedAt, experiment.PolicyRevision,
            TrafficPolicyChanges.Json(experiment.PolicyBefore), TrafficPolicyChanges.Json(experiment.Decision),
        ],
        ct);

    public static async Task AddPeriodAsync(NpgsqlTransaction transaction, string name, ExperimentPeriod period, CancellationToken ct) =>
        await transaction.ExecuteAsync(
            "insert into experiment_period (name, number, starts_at, salt, weights) values ($1, $2, $3, $4, $5)",
            [name, period.Number, period.StartsAt, period.Salt, period.Weights.ToArray()], ct);

    /// <summary>The period under way is over; it may end before all replicas were surely in it.</summary>
    public static async Task EndPeriodAsync(NpgsqlTransaction transaction, string name, DateTimeOffset at, CancellationToken ct) =>
        await transaction.ExecuteAsync(
            "update experiment_period set ends_at = greatest($2, starts_at) where name = $1 and ends_at is null", [name, at], ct);

    public const string PeriodsOf =
        "select number, starts_at, ends_at, salt, weights from experiment_period where name = $1 order by number";

    public static Experiment Read(NpgsqlDataReader r) => new(
        r.GetString(0), r.GetString(1), r.GetString(2), r.GetInt64(3), Parse<ExperimentPlan>(r, 4)!, // not null in the table
        r.GetFieldValue<DateTimeOffset>(5), r.GetFieldValue<DateTimeOffset>(6))
    {
        StartedAt = r.IsDBNull(7) ? null : r.GetFieldValue<DateTimeOffset>(7),
        EndedAt = r.IsDBNull(8) ? null : r.GetFieldValue<DateTimeOffset>(8),
        PolicyRevision = r.GetInt64(9),
        PolicyBefore = Parse<TrafficPolicy>(r, 10),
        Decision = Parse<ExperimentDecision>(r, 11),
    };

    public static ExperimentPeriod ReadPeriod(NpgsqlDataReader r) => new(
        r.GetInt32(0), r.GetFieldValue<DateTimeOffset>(1), r.IsDBNull(2) ? null : r.GetFieldValue<DateTimeOffset>(2), r.GetString(3),
        r.GetFieldValue<double[]>(4));

    private static T? Parse<T>(NpgsqlDataReader r, int column) where T : class =>
        r.IsDBNull(column) ? null : JsonSerializer.Deserialize<T>(r.GetString(column), PolicyJson.Options);
}
