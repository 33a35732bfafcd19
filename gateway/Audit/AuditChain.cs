using MlOps.ServiceDefaults;
using Npgsql;
using NpgsqlTypes;

namespace MlOps.Gateway.Audit;

/// <summary>
/// The chain in the database. Entries take their places one transaction after the other, over all replicas: whoever adds
/// holds the end of the chain until the commit, so it is the last thing a transaction locks.
/// </summary>
internal static class AuditChain
{
    public const string Columns =
        "sequence, at, actor, action, model, target, outcome, code, begun, reason, before, after, trace_id, previous_hash, hash";

    /// <summary>Adds entries in order and answers the sequence of the first.</summary>
    public static async Task<long> AddAsync(NpgsqlTransaction transaction, IReadOnlyList<AuditDraft> drafts, CancellationToken ct)
    {
        var (last, hash) = await transaction.QueryFirstOrDefaultAsync(
            "select sequence, hash from audit_head for update", [], r => (r.GetInt64(0), r.GetFieldValue<byte[]>(1)), ct);
        var entries = new AuditEntry[drafts.Count];
        for (var i = 0; i < entries.Length; i++)
        {
            entries[i] = AuditEntry.After(last + 1 + i, hash, drafts[i]);
            hash = entries[i].Hash;
        }

        await transaction.ExecuteAsync(
            $"""
            insert into audit_entry ({Columns})
            select * from unnest($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)
            """,
            [
                Of(e => e.Sequence, NpgsqlDbType.Bigint), Of(e => e.Draft.At, NpgsqlDbType.TimestampTz),
                Of(e => e.Draft.Actor, NpgsqlDbType.Text), Of(e => e.Draft.Action, NpgsqlDbType.Text),
                Of(e => e.Draft.Model, NpgsqlDbType.Text), Of(e => e.Draft.Target, NpgsqlDbType.Text),
                Of(e => e.Draft.Outcome, NpgsqlDbType.Text), Of(e => e.Draft.Code, NpgsqlDbType.Text),
                Of(e => e.Draft.Begun, NpgsqlDbType.Bigint), Of(e => e.Draft.Reason, NpgsqlDbType.Text),
                Of(e => e.Draft.Before, NpgsqlDbType.Text), Of(e => e.Draft.After, NpgsqlDbType.Text),
                Of(e => e.Draft.TraceId, NpgsqlDbType.Text), Of(e => e.PreviousHash, NpgsqlDbType.Bytea),
                Of(e => e.Hash, NpgsqlDbType.Bytea),
            ],
            ct);
        await transaction.ExecuteAsync(
            "update audit_head set sequence = $1, hash = $2", [last + entries.Length, hash], ct);
        return last + 1;

        NpgsqlParameter Of<T>(Func<AuditEntry, T> field, NpgsqlDbType type) =>
            new() { Value = entries.Select(field).ToArray(), NpgsqlDbType = NpgsqlDbType.Array | type };
    }

    public static AuditEntry Read(NpgsqlDataReader r) => new(
        r.GetInt64(0),
        new AuditDraft(
            r.GetFieldValue<DateTimeOffset>(1), r.GetString(2), r.GetString(3), r.GetString(4), r.GetString(5), r.GetString(6),
            r.GetString(7), r.GetInt64(8), r.GetString(9), r.IsDBNull(10) ? null : r.GetString(10),
            r.IsDBNull(11) ? null : r.GetString(11), r.GetString(12)),
        r.GetFieldValue<byte[]>(13), r.GetFieldValue<byte[]>(14));
}
