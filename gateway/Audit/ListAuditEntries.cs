using System.Globalization;
using MlOps.ServiceDefaults;
using Npgsql;
using NpgsqlTypes;

namespace MlOps.Gateway.Audit;

/// <summary>The audit, newest first, in pages that entries added meanwhile do not shift.</summary>
internal sealed class ListAuditEntries(NpgsqlDataSource source)
{
    private const int DefaultPageSize = 100;
    private const int MaxPageSize = 1_000;

    /// <exception cref="InvalidRequestException">PAGE_INVALID.</exception>
    public async Task<AuditPage> RunAsync(AuditQuery query, CancellationToken ct)
    {
        var violations = new Violations();
        violations.AddIf(
            query.PageSize is < 0 or > MaxPageSize, "page_size", $"must be 1 to {MaxPageSize:N0}, or 0 for {DefaultPageSize}");
        // A token is the last sequence of the page before it.
        var before = long.MaxValue;
        violations.AddIf(
            query.PageToken.Length > 0 && !long.TryParse(query.PageToken, NumberStyles.None, CultureInfo.InvariantCulture, out before),
            "page_token", "must be one that an earlier page gave");
        violations.AddIf(query.From > query.To, "from", "must not be later than to");
        violations.ThrowIfAny("PAGE_INVALID");

        var size = query.PageSize == 0 ? DefaultPageSize : query.PageSize;
        // One more than asked tells whether another page follows.
        var rows = await source.QueryAsync(
            $"""
            select {AuditChain.Columns} from audit_entry
            where sequence < $1 and ($2 = '' or model = $2) and ($3 = '' or actor = $3) and ($4 = '' or action = $4)
                and ($5::timestamptz is null or at >= $5) and ($6::timestamptz is null or at < $6)
            order by sequence desc limit $7
            """,
            [before, query.Model, query.Actor, query.Action, TimeOf(query.From), TimeOf(query.To), size + 1], AuditChain.Read, ct);
        var page = rows[..Math.Min(size, rows.Count)];
        return new AuditPage(page, rows.Count > size ? page[^1].Sequence.ToString(CultureInfo.InvariantCulture) : "");
    }

    private static NpgsqlParameter TimeOf(DateTimeOffset? time) =>
        new() { Value = time is { } t ? t.ToUniversalTime() : DBNull.Value, NpgsqlDbType = NpgsqlDbType.TimestampTz };
}

/// <summary>Which entries are wanted: empty and null stand for all; the time is half-open, [from, to).</summary>
internal sealed record AuditQuery(
    string Model, string Actor, string Action, DateTimeOffset? From, DateTimeOffset? To, int PageSize, string PageToken);

/// <summary>A page of the audit and the token of the next one, empty on the last.</summary>
internal sealed record AuditPage(IReadOnlyList<AuditEntry> Entries, string NextPageToken);
