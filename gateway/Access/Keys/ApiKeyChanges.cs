using System.Text.Json;
using MlOps.Contracts.Events;
using MlOps.Gateway.Audit;
using MlOps.Gateway.Splits;
using MlOps.ServiceDefaults;
using Npgsql;
using NpgsqlTypes;

namespace MlOps.Gateway.Access.Keys;

/// <summary>
/// Changes to keys happen one after the other over all replicas, so that revisions grow in the order of their commits; each
/// leaves its event in the same transaction. Keys are never deleted: what a revoked one did stays attributable.
/// </summary>
internal sealed class ApiKeyChanges(NpgsqlDataSource source, Outbox outbox, AuditTrail audit, TimeProvider time)
{
    private const string Columns =
        """
        id, name, grants, requests_per_second, burst, created_at, created_by, expires_at, rotated_at, previous_until,
        revoked_at, last_used_at, revision, salt, hash, previous_salt, previous_hash
        """;

    /// <summary>What a change works on: the number and the time it will have.</summary>
    internal sealed record Turn(NpgsqlTransaction Transaction, long Revision, DateTimeOffset At);

    /// <summary>What a change made of a key; one whose revision stays is none.</summary>
    internal sealed record Made(ApiKey? Before, ApiKey After);

    /// <summary>Runs a change, with its event and its entry in the audit.</summary>
    public Task<ApiKey> MakeAsync(Func<Turn, Task<Made>> change, CancellationToken ct) => source.InTransactionAsync(
        async transaction =>
        {
            await transaction.ExecuteAsync("lock table api_key in share row exclusive mode", [], ct);
            var revision = await transaction.QueryFirstOrDefaultAsync(
                "select coalesce(max(revision), 0) + 1 from api_key", [], r => r.GetInt64(0), ct);
            var now = time.GetUtcNow();
            // PostgreSQL keeps no finer time, and what is answered is what is kept.
            var at = now.AddTicks(-(now.Ticks % TimeSpan.TicksPerMicrosecond));
            var (before, after) = await change(new Turn(transaction, revision, at));
            if (after.Revision != revision) return after;
            await outbox.AddAsync(transaction, new ApiKeysChanged(revision), ct);
            await audit.AddAsync(transaction, new AuditedChange("API key", "", after.Id, "", "", Json(before, at), Json(after, at)), ct);
            return after;
        },
        ct);

    /// <exception cref="NotFoundException">API_KEY_NOT_FOUND.</exception>
    public static async Task<StoredKey> GetAsync(NpgsqlTransaction transaction, string id, CancellationToken ct) =>
        await transaction.QueryFirstOrDefaultAsync($"select {Columns} from api_key where id = $1", [id], Read, ct)
        ?? throw new NotFoundException("API_KEY_NOT_FOUND", $"There is no key {id}.");

    public static Task<List<StoredKey>> AllAsync(NpgsqlDataSource source, CancellationToken ct) =>
        source.QueryAsync($"select {Columns} from api_key order by created_at, id", [], Read, ct);

    public static async Task StoreAsync(NpgsqlTransaction transaction, StoredKey stored, CancellationToken ct)
    {
        var (key, secret, previous) = stored;
        await transaction.ExecuteAsync(
            $"""
            insert into api_key ({Columns})
            values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17)
            on conflict (id) do update set
                rotated_at = excluded.rotated_at, previous_until = excluded.previous_until, revoked_at = excluded.revoked_at,
                revision = excluded.revision, salt = excluded.salt, hash = excluded.hash,
                previous_salt = excluded.previous_salt, previous_hash = excluded.previous_hash
            """,
            [
                key.Id, key.Name, GrantsOf(key), key.RequestsPerSecond, key.Burst, key.CreatedAt, key.CreatedBy, key.ExpiresAt,
                key.RotatedAt, key.PreviousUntil, key.RevokedAt, key.LastUsedAt, key.Revision, secret.Salt, secret.Hash,
                previous?.Salt, previous?.Hash,
            ],
            ct);
    }

    // As it is told to all: without its secrets.
    private static string? Json(ApiKey? key, DateTimeOffset at) =>
        key is null ? null : JsonSerializer.Serialize(AccessEndpoints.KeyAnswer.Of(key, at), PolicyJson.Options);

    private static NpgsqlParameter GrantsOf(ApiKey key) => new()
    {
        Value = JsonSerializer.SerializeToUtf8Bytes(key.Grants.Select(g => new GrantRow(g.Role.Name, g.Models)), JsonSerializerOptions.Web),
        NpgsqlDbType = NpgsqlDbType.Jsonb,
    };

    private static StoredKey Read(NpgsqlDataReader r)
    {
        var rows = JsonSerializer.Deserialize<GrantRow[]>(r.GetString(2), JsonSerializerOptions.Web) ?? [];
        // A role that a later version of the platform knows gives no right here.
        var grants = rows.Select(g => (Role: Role.Find(g.Role), g.Models)).Where(g => g.Role is not null)
            .Select(g => new Grant(g.Role ?? Role.Admin, g.Models));
        var key = new ApiKey(
            r.GetString(0), r.GetString(1), [.. grants], r.IsDBNull(3) ? null : r.GetDouble(3), r.IsDBNull(4) ? null : r.GetInt32(4),
            r.GetFieldValue<DateTimeOffset>(5), r.GetString(6), r.GetFieldValue<DateTimeOffset>(7),
            TimeOrNull(r, 8), TimeOrNull(r, 9), TimeOrNull(r, 10), TimeOrNull(r, 11), r.GetInt64(12));
        return new StoredKey(
            key, new SecretHash(r.GetFieldValue<byte[]>(13), r.GetFieldValue<byte[]>(14)),
            r.IsDBNull(15) ? null : new SecretHash(r.GetFieldValue<byte[]>(15), r.GetFieldValue<byte[]>(16)));
    }

    private static DateTimeOffset? TimeOrNull(NpgsqlDataReader r, int column) =>
        r.IsDBNull(column) ? null : r.GetFieldValue<DateTimeOffset>(column);

    private sealed record GrantRow(string Role, string Models);
}
