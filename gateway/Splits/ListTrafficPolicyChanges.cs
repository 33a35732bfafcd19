using System.Globalization;
using System.Text.Json;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Splits;

/// <summary>Who changed a model's policy, when, why and how: the newest change first, deletions and policy files included.</summary>
internal sealed class ListTrafficPolicyChanges(NpgsqlDataSource source)
{
    private const int DefaultPageSize = 100;
    private const int MaxPageSize = 1_000;

    /// <exception cref="InvalidRequestException">PAGE_INVALID.</exception>
    public async Task<PolicyChanges> RunAsync(string model, int pageSize, string pageToken, CancellationToken ct)
    {
        var violations = new Violations();
        violations.AddIf(
            pageSize is < 0 or > MaxPageSize, "page_size", $"must be 1 to {MaxPageSize:N0}, or 0 for {DefaultPageSize}");
        // A token is the last revision of the page before it.
        var before = long.MaxValue;
        violations.AddIf(
            pageToken.Length > 0 && !long.TryParse(pageToken, NumberStyles.None, CultureInfo.InvariantCulture, out before),
            "page_token", "must be one that an earlier page gave");
        violations.ThrowIfAny("PAGE_INVALID");

        var size = pageSize == 0 ? DefaultPageSize : pageSize;
        // One more than asked tells whether another page follows.
        var rows = await source.QueryAsync(
            """
            select revision, model, actor, reason, source, before, after, changed_at from traffic_policy_change
            where model = $1 and revision < $2 order by revision desc limit $3
            """,
            [model, before, size + 1], Read, ct);
        var page = rows[..Math.Min(size, rows.Count)];
        return new PolicyChanges(
            page, rows.Count > size ? page[^1].Revision.ToString(CultureInfo.InvariantCulture) : "");
    }

    private static PolicyChange Read(NpgsqlDataReader r) => new(
        r.GetInt64(0), r.GetString(1), r.GetString(2), r.GetString(3), r.GetString(4), Policy(r, 5), Policy(r, 6),
        r.GetFieldValue<DateTimeOffset>(7));

    private static TrafficPolicy? Policy(NpgsqlDataReader r, int column) =>
        r.IsDBNull(column) ? null : JsonSerializer.Deserialize<TrafficPolicy>(r.GetString(column), PolicyJson.Options);
}

/// <summary>
/// One entry of the log; the policy before is null where there was none, the one after where it was deleted; the source is
/// one of <see cref="PolicyOwner"/>'s.
/// </summary>
internal sealed record PolicyChange(
    long Revision, string Model, string Actor, string Reason, string Source, TrafficPolicy? Before, TrafficPolicy? After,
    DateTimeOffset ChangedAt);

/// <summary>A page of the log and the token of the next one, empty on the last.</summary>
internal sealed record PolicyChanges(IReadOnlyList<PolicyChange> Changes, string NextPageToken);
