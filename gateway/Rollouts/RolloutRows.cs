using System.Text.Json;
using MlOps.Gateway.Rollouts.Judgement;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;
using Npgsql;
using Wire = MlOps.Contracts.Gateway.V1;

namespace MlOps.Gateway.Rollouts;

/// <summary>Rollouts as rows.</summary>
internal static class RolloutRows
{
    public const string Columns =
        """
        rollout_id, model, version, stable_version, phase, is_paused, plan, state, source, actor, reason, stamp, created_at, updated_at,
        ended_at, findings, shadow
        """;

    public const string NotOver = "phase not in ('Succeeded', 'Failed', 'Terminated')";

    public static Rollout Read(NpgsqlDataReader r) => new(
        r.GetGuid(0), r.GetString(1), r.GetInt32(2), r.GetInt32(3), r.GetString(4), r.GetBoolean(5),
        Parse<RolloutPlan>(r.GetString(6)), Parse<RolloutState>(r.GetString(7)), r.GetString(8), r.GetString(9), r.GetString(10),
        r.GetInt64(11), r.GetFieldValue<DateTimeOffset>(12), r.GetFieldValue<DateTimeOffset>(13),
        r.IsDBNull(14) ? null : r.GetFieldValue<DateTimeOffset>(14))
    {
        Findings = r.IsDBNull(15) ? null : Parse<Findings>(r.GetString(15)),
        Shadow = r.IsDBNull(16) ? null : Wire.ShadowReport.Parser.ParseFrom(r.GetFieldValue<byte[]>(16)),
    };

    public static Task<Rollout?> FindAsync(NpgsqlDataSource source, Guid id, CancellationToken ct) => source.QueryFirstOrDefaultAsync(
        $"select {Columns} from rollout where rollout_id = $1", [id], Read, ct);

    public static Task InsertAsync(NpgsqlTransaction transaction, Rollout rollout, CancellationToken ct) => transaction.ExecuteAsync(
        """
        insert into rollout (rollout_id, model, version, stable_version, phase, is_paused, plan, state, source, actor, reason, stamp,
            created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $13)
        """,
        [
            rollout.Id, rollout.Model, rollout.Version, rollout.StableVersion, rollout.Phase, rollout.IsPaused,
            TrafficPolicyChanges.Json(rollout.Plan), TrafficPolicyChanges.Json(rollout.State), rollout.Source, rollout.Actor,
            rollout.Reason, rollout.Stamp, rollout.CreatedAt,
        ],
        ct);

    public static Task UpdateAsync(NpgsqlTransaction transaction, Rollout rollout, CancellationToken ct) => transaction.ExecuteAsync(
        """
        update rollout set stable_version = $2, phase = $3, is_paused = $4, state = $5, stamp = $6, updated_at = $7, ended_at = $8
        where rollout_id = $1
        """,
        [
            rollout.Id, rollout.StableVersion, rollout.Phase, rollout.IsPaused, TrafficPolicyChanges.Json(rollout.State), rollout.Stamp,
            rollout.UpdatedAt, rollout.EndedAt,
        ],
        ct);

    public static Task AddEntryAsync(NpgsqlTransaction transaction, Rollout rollout, string actor, CancellationToken ct) =>
        transaction.ExecuteAsync(
            """
            insert into rollout_entry (rollout_id, sequence, at, phase, step, weight, actor, message)
            select $1, coalesce(max(sequence), 0) + 1, $2, $3, $4, $5, $6, $7 from rollout_entry where rollout_id = $1
            """,
            [
                rollout.Id, rollout.UpdatedAt, rollout.Phase, rollout.State.Step, rollout.State.Weight, actor, rollout.State.Message,
            ],
            ct);

    // What this program wrote.
    private static T Parse<T>(string json) => JsonSerializer.Deserialize<T>(json, PolicyJson.Options)!;
}
