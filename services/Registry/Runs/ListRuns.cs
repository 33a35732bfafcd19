using System.Buffers.Text;
using System.Globalization;
using System.Text;
using MlOps.Contracts.Registry.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Registry.Runs;

/// <summary>Runs, the newest first; pages stay whole while runs are added, since the order never changes.</summary>
internal sealed class ListRuns(NpgsqlDataSource source)
{
    private const int DefaultPageSize = 100;
    private const int MaxPageSize = 1_000;

    /// <exception cref="InvalidRequestException">PAGE_INVALID</exception>
    public async Task<ListRunsResponse> HandleAsync(ListRunsRequest request, CancellationToken ct)
    {
        var violations = new Violations();
        violations.AddIf(
            request.PageSize is < 0 or > MaxPageSize, "page_size", $"must be 1 to {MaxPageSize:N0}, or 0 for {DefaultPageSize}");
        var position = Position.TryParse(request.PageToken);
        violations.AddIf(
            request.PageToken.Length > 0 && position is null, "page_token", "must be one that an earlier page gave");
        violations.ThrowIfAny("PAGE_INVALID");

        var size = request.PageSize == 0 ? DefaultPageSize : request.PageSize;
        // One more than asked tells whether another page follows.
        var rows = await source.QueryAsync(
            RunRows.Select +
            """
            where ($1 = '' or r.experiment = $1) and ($2 = '' or r.parent_run_id = $2)
              and ($3::timestamptz is null or (r.created_at, r.run_id) < ($3, $4))
            order by r.created_at desc, r.run_id desc
            limit $5
            """,
            [request.Experiment, request.ParentRunId,
             position is null ? null : Micros.ToTime(position.CreatedAtMicros), position?.RunId ?? "", size + 1],
            r => (Run: RunRows.Map(r), CreatedAtMicros: r.GetMicros(RunRows.CreatedAtColumn)),
            ct);

        var response = new ListRunsResponse { Runs = { rows.Take(size).Select(r => r.Run) } };
        if (rows.Count > size)
        {
            var last = rows[size - 1];
            response.NextPageToken = new Position(last.CreatedAtMicros, last.Run.RunId).ToString();
        }

        return response;
    }

    /// <summary>The last run of a page; as a token, base64url of "micros.run_id".</summary>
    private sealed record Position(long CreatedAtMicros, string RunId)
    {
        public static Position? TryParse(string token)
        {
            if (token.Length is 0 or > 100 || !Base64Url.IsValid(token)) return null;
            var parts = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(token)).Split('.');
            return parts.Length == 2 && Names.IsRunId(parts[1])
                && long.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var micros)
                // The year 9999, the last that a timestamp holds.
                && micros < 253_402_300_800_000_000
                ? new Position(micros, parts[1])
                : null;
        }

        public override string ToString() =>
            Base64Url.EncodeToString(
                Encoding.UTF8.GetBytes(string.Create(CultureInfo.InvariantCulture, $"{CreatedAtMicros}.{RunId}")));
    }
}
