using MlOps.Contracts.Monitoring.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Monitoring.Experiments;

/// <summary>The exposure log of an experiment, read from the prediction log: each subject once, with the arm it met first.</summary>
internal sealed class ListExposures(NpgsqlDataSource source, KnownModels models)
{
    private const int MaxArms = 20;
    private const int DefaultPageSize = 100;
    private const int MaxPageSize = 1_000;

    /// <exception cref="InvalidRequestException">PAGE_INVALID, WINDOW_INVALID</exception>
    /// <exception cref="Grpc.Core.RpcException">NotFound, MODEL_UNKNOWN</exception>
    public async Task<ListExposuresResponse> HandleAsync(ListExposuresRequest request, CancellationToken ct)
    {
        var window = Window.Of(request.FromMicros, request.ToMicros);
        var violations = new Violations();
        violations.AddIf(request.Arms.Count is 0 or > MaxArms, "arms", $"must be 1 to {MaxArms}");
        violations.AddIf(
            request.PageSize is < 0 or > MaxPageSize, "page_size", $"must be 1 to {MaxPageSize:N0}, or 0 for {DefaultPageSize}");
        // A token is the last subject of the page before it.
        violations.AddIf(
            request.PageToken.Length > 64 || request.PageToken.Contains('\0'), "page_token", "must be one that an earlier page gave");
        violations.ThrowIfAny("PAGE_INVALID");

        var size = request.PageSize == 0 ? DefaultPageSize : request.PageSize;
        // One more than asked tells whether another page follows.
        var rows = await source.QueryAsync(
            $"""
            select subject, (array_agg(variant order by time, prediction_id))[1], min(time), count(*), count(distinct variant) > 1
            from (
                select {ExperimentQuery.Subject} as subject, variant, time, prediction_id from prediction
                where model = $1 and variant = any($2) and ($3::timestamptz is null or time >= $3)
                  and ($4::timestamptz is null or time < $4) and shadow_of is null and row = 0
                union all
                select {ExperimentQuery.Subject}, variant, time, prediction_id from prediction_failure
                where model = $1 and variant = any($2) and ($3::timestamptz is null or time >= $3)
                  and ($4::timestamptz is null or time < $4) and shadow_of is null
            ) seen
            where subject collate "C" > $5
            group by subject order by subject collate "C" limit $6
            """,
            [request.Model, request.Arms.ToArray(), window.From, window.To, request.PageToken, size + 1], Map, ct);
        if (rows.Count == 0 && request.PageToken.Length == 0) await models.RequireAsync(request.Model, ct);
        var page = rows[..Math.Min(size, rows.Count)];
        return new ListExposuresResponse { Subjects = { page }, NextPageToken = rows.Count > size ? page[^1].SubjectHash : "" };
    }

    private static ExposedSubject Map(NpgsqlDataReader r) => new()
    {
        SubjectHash = r.GetString(0),
        Arm = r.GetString(1),
        FirstMicros = Micros.From(r.GetFieldValue<DateTimeOffset>(2)),
        Requests = r.GetInt64(3),
        HasCrossed = r.GetBoolean(4),
    };
}
