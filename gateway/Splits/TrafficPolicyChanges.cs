using System.Text.Json;
using MlOps.Contracts.Events;
using MlOps.Gateway.Audit;
using MlOps.ServiceDefaults;
using Npgsql;
using NpgsqlTypes;

namespace MlOps.Gateway.Splits;

/// <summary>
/// Changes to policies happen one after the other over all replicas, so that revisions grow in the order of their commits;
/// each leaves its audit row and its event in the same transaction.
/// </summary>
internal sealed class TrafficPolicyChanges(NpgsqlDataSource source, Outbox outbox, AuditTrail audit, TimeProvider time)
{
    private const string Columns =
        "model, revision, arms, salt, coverage, subject_header, updated_at, subject_input, subject_json, layer, rollout, shadows";

    private const string What = "traffic policy";

    /// <summary>What a change works on: the policy before it, the number and the time it will have.</summary>
    internal sealed record Turn(NpgsqlTransaction Transaction, TrafficPolicy? Before, long Revision, DateTimeOffset At);

    /// <summary>
    /// Runs a change, which stores the policy and answers it, or null when it is gone; expected is the revision the caller
    /// saw, 0 for whatever it is.
    /// </summary>
    /// <exception cref="ConflictException">TRAFFIC_POLICY_CHANGED: the revision is another by now.</exception>
    public Task<TrafficPolicy?> MakeAsync(
        string model, long expected, string actor, string reason, Func<Turn, Task<TrafficPolicy?>> change, CancellationToken ct) =>
        source.InTransactionAsync(
            async transaction =>
            {
                await transaction.ExecuteAsync("lock table traffic_policy in share row exclusive mode", [], ct);
                var before = await transaction.QueryFirstOrDefaultAsync(
                    $"select {Columns} from traffic_policy where model = $1", [model], Read, ct);
                if (expected != 0 && expected != before?.Revision)
                {
                    throw new ConflictException("TRAFFIC_POLICY_CHANGED", before is null
                        ? $"The model {model} has no traffic policy, so none of revision {expected}."
                        : $"The traffic policy of {model} is at revision {before.Revision}, not {expected}; read it again.");
                }

                var revision = await transaction.QueryFirstOrDefaultAsync(
                    "select coalesce(max(revision), 0) + 1 from traffic_policy_change", [], r => r.GetInt64(0), ct);
                var at = Microseconds(time.GetUtcNow());
                var after = await change(new Turn(transaction, before, revision, at));
                await transaction.ExecuteAsync(
                    """
                    insert into traffic_policy_change (revision, model, actor, reason, before, after, changed_at)
                    values ($1, $2, $3, $4, $5, $6, $7)
                    """,
                    [revision, model, actor, reason, Json(before), Json(after), at], ct);
                await outbox.AddAsync(transaction, new TrafficPolicyChanged(model, revision), ct);
                await audit.AddAsync(
                    transaction, new AuditedChange(What, model, "", actor, Said(actor, reason), Whole(before), Whole(after)), ct);
                return after;
            },
            ct);

    /// <summary>
    /// Logs what the policy file changed since it was last logged, by whichever replica came first; the others find nothing
    /// left to log.
    /// </summary>
    public Task NoteFileAsync(IReadOnlyList<TrafficPolicy> policies, string actor, string reason, CancellationToken ct) =>
        source.InTransactionAsync(
            async transaction =>
            {
                await transaction.ExecuteAsync("lock table traffic_policy in share row exclusive mode", [], ct);
                var before = (await transaction.QueryAsync(
                    """
                    select distinct on (model) model, after from traffic_policy_change where source = 'file' order by model, revision desc
                    """,
                    [], r => (Model: r.GetString(0), After: r.IsDBNull(1) ? null : Text(r.GetString(1))), ct))
                    .Where(c => c.After is not null).ToDictionary(c => c.Model, c => c.After, StringComparer.Ordinal);
                var after = policies.ToDictionary(p => p.Model, Text, StringComparer.Ordinal);
                string[] changed =
                [
                    .. before.Keys.Union(after.Keys, StringComparer.Ordinal)
                        .Where(m => before.GetValueOrDefault(m) != after.GetValueOrDefault(m)).Order(StringComparer.Ordinal),
                ];
                if (changed.Length == 0) return;
                await transaction.ExecuteAsync(
                    """
                    insert into traffic_policy_change (revision, model, actor, reason, source, before, after, changed_at)
                    select (select coalesce(max(revision), 0) from traffic_policy_change) + c.place, c.model, $1, $2, 'file',
                        c.before::jsonb, c.after::jsonb, $3
                    from unnest($4, $5, $6) with ordinality as c (model, before, after, place)
                    """,
                    [
                        actor, reason, time.GetUtcNow(), changed, Texts(changed.Select(before.GetValueOrDefault)),
                        Texts(changed.Select(after.GetValueOrDefault)),
                    ],
                    ct);
                await audit.AddAsync(
                    transaction,
                    [
                        .. changed.Select(model => new AuditedChange(
                            What, model, "policy file", actor, reason, before.GetValueOrDefault(model), after.GetValueOrDefault(model))),
                    ],
                    ct);
            },
            ct);

    public static Task<List<TrafficPolicy>> AllAsync(NpgsqlDataSource source, CancellationToken ct) =>
        source.QueryAsync($"select {Columns} from traffic_policy order by model", [], Read, ct);

    public static Task<List<TrafficPolicy>> InLayerAsync(NpgsqlTransaction transaction, string layer, CancellationToken ct) =>
        transaction.QueryAsync($"select {Columns} from traffic_policy where layer ->> 'name' = $1", [layer], Read, ct);

    public static NpgsqlParameter Json<T>(T? value) => new()
    {
        Value = value is null ? DBNull.Value : JsonSerializer.SerializeToUtf8Bytes(value, PolicyJson.Options),
        NpgsqlDbType = NpgsqlDbType.Jsonb,
    };

    // What the caller says of itself, beside whom the door knows it for.
    private static string Said(string actor, string reason) => actor.Length > 0 ? $"{actor}: {reason}" : reason;

    private static string? Whole(TrafficPolicy? policy) => policy is null ? null : JsonSerializer.Serialize(policy, PolicyJson.Options);

    // The time at which a file was written tells no policy from another.
    private static string Text(TrafficPolicy policy) =>
        JsonSerializer.Serialize(policy with { Revision = 0, UpdatedAt = default }, PolicyJson.Options);

    // In the form of this program, whatever the database made of it.
    private static string? Text(string json) =>
        JsonSerializer.Deserialize<TrafficPolicy>(json, PolicyJson.Options) is { } policy ? Text(policy) : null;

    private static NpgsqlParameter Texts(IEnumerable<string?> texts) => new()
    {
        Value = texts.ToArray(),
        NpgsqlDbType = NpgsqlDbType.Array | NpgsqlDbType.Text,
    };

    private static TrafficPolicy Read(NpgsqlDataReader r) => new(
        r.GetString(0),
        JsonSerializer.Deserialize<PolicyArm[]>(r.GetString(2), PolicyJson.Options) ?? [],
        r.GetString(3), r.GetDouble(4), r.GetString(5), r.GetInt64(1), r.GetFieldValue<DateTimeOffset>(6))
    {
        SubjectInput = r.GetString(7),
        SubjectJson = r.GetString(8),
        Layer = r.IsDBNull(9) ? null : JsonSerializer.Deserialize<PolicyLayer>(r.GetString(9), PolicyJson.Options),
        Rollout = r.IsDBNull(10) ? null : r.GetGuid(10),
        Shadows = r.IsDBNull(11) ? [] : JsonSerializer.Deserialize<PolicyShadow[]>(r.GetString(11), PolicyJson.Options) ?? [],
    };

    // PostgreSQL keeps no finer time, and what is answered is what is kept.
    private static DateTimeOffset Microseconds(DateTimeOffset t) => t.AddTicks(-(t.Ticks % TimeSpan.TicksPerMicrosecond));
}
