using Google.Protobuf.Collections;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Monitoring.Labels;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Monitoring.PredictionLog;

/// <summary>Gives logged answers back whole: by their ids, or page by page; a page is bounded in records and in values.</summary>
internal sealed class GetPredictions(NpgsqlDataSource source, KnownModels models)
{
    private const int DefaultPageSize = 100;
    private const int MaxPageSize = 1_000;

    // About 20 bytes each on the wire, of the 32 MiB a message may have.
    private const long MaxPageValues = 250_000;

    /// <exception cref="InvalidRequestException">PAGE_INVALID, PREDICTION_ID_INVALID or WINDOW_INVALID.</exception>
    /// <exception cref="Grpc.Core.RpcException">NotFound, MODEL_UNKNOWN.</exception>
    public async Task<GetPredictionsResponse> HandleAsync(GetPredictionsRequest request, CancellationToken ct)
    {
        var position = Check(request);
        if (request.PredictionIds.Count > 0) return await ByIdAsync(request, position, ct);
        var window = Window.Of(request.FromMicros, request.ToMicros);
        var size = request.PageSize == 0 ? DefaultPageSize : request.PageSize;
        var found = request.Shuffled
            ? await ShuffledAsync(request, window, position, size + 1, ct)
            : await ByTimeAsync(request, window, position, size + 1, ct);
        if (found.Count == 0 && position is null) await models.RequireAsync(request.Model, ct);
        return await PageAsync(found, size, ct);
    }

    private static PredictionPosition? Check(GetPredictionsRequest request)
    {
        var violations = new Violations();
        violations.AddIf(
            request.PageSize is < 0 or > MaxPageSize, "page_size", $"must be 1 to {MaxPageSize:N0}, or 0 for {DefaultPageSize}");
        violations.AddIf(request.PredictionIds.Count > MaxPageSize, "prediction_ids", $"must be at most {MaxPageSize:N0}");
        violations.AddIf(
            request.PredictionIds.Count > 0 && (request.Model.Length > 0 || request.Version.Length > 0), "prediction_ids",
            "must be alone: they name what is asked for");
        var position = PredictionPosition.TryParse(request.PageToken);
        violations.AddIf(
            request.PageToken.Length > 0 && (position is null || (!request.Shuffled && !Micros.IsTime(position.Key))), "page_token",
            "must be one that an earlier page gave");
        violations.ThrowIfAny("PAGE_INVALID");
        return position;
    }

    private async Task<GetPredictionsResponse> ByIdAsync(
        GetPredictionsRequest request, PredictionPosition? position, CancellationToken ct)
    {
        var ids = IdsOf(request.PredictionIds);
        var found = await source.QueryAsync(
            $"""
            select {Key}, p.prediction_id, p.time, {Size}
            from prediction_record r join prediction p on p.prediction_id = r.prediction_id and p.time = r.time and p.row = 0
            where r.prediction_id = any($1)
            order by p.time, p.prediction_id
            """,
            [ids.Keys.ToArray()], Map, ct);
        var rest = position is null ? found : [.. found.Where(f => Compare(f, position) > 0)];
        var page = await PageAsync(rest, MaxPageSize, ct);
        page.Missing.Add(ids.Where(id => found.TrueForAll(f => f.Id != id.Key)).Select(id => id.Value));
        return page;
    }

    // Each record once, by the first name it was called.
    private static Dictionary<Guid, string> IdsOf(RepeatedField<string> names)
    {
        var ids = new Dictionary<Guid, string>();
        var violations = new Violations();
        for (var i = 0; i < names.Count; i++)
        {
            if (PredictionKey.TryParse(names[i], out var key)) ids.TryAdd(key.Id, names[i]);
            else violations.Add($"prediction_ids[{i}]", "must be 32 hex digits, with or without a row behind a dot");
        }

        violations.ThrowIfAny("PREDICTION_ID_INVALID");
        return ids;
    }

    private const string Key = "(extract(epoch from p.time) * 1000000)::bigint";

    private const string Size = "r.rows * greatest(1, cardinality(p.numbers) + cardinality(p.texts))";

    private Task<List<Found>> ByTimeAsync(
        GetPredictionsRequest request, Window window, PredictionPosition? position, int limit, CancellationToken ct) => source.QueryAsync(
            $"""
            select {Key}, p.prediction_id, p.time, {Size}
            from prediction p join prediction_record r on r.prediction_id = p.prediction_id
            where p.model = $1 and ($2 = '' or p.version = $2) and p.row = 0
              and ($3::timestamptz is null or p.time >= $3) and ($4::timestamptz is null or p.time < $4)
              and ($5::timestamptz is null or (p.time >= $5 and (p.time, p.prediction_id) > ($5, $6)))
            order by p.time, p.prediction_id
            limit $7
            """,
            [request.Model, request.Version, window.From, window.To,
             position is null ? null : Micros.ToTime(position.Key), position?.Id ?? Guid.Empty, limit],
            Map, ct);

    private Task<List<Found>> ShuffledAsync(
        GetPredictionsRequest request, Window window, PredictionPosition? position, int limit, CancellationToken ct) => source.QueryAsync(
            $"""
            select p.key, p.prediction_id, p.time, {Size}
            from (
                select uuid_hash_extended(prediction_id, $7) as key, * from prediction
                where model = $1 and ($2 = '' or version = $2) and row = 0
                  and ($3::timestamptz is null or time >= $3) and ($4::timestamptz is null or time < $4)
            ) p join prediction_record r on r.prediction_id = p.prediction_id
            where $5::bigint is null or (p.key, p.prediction_id) > ($5, $6)
            order by p.key, p.prediction_id
            limit $8
            """,
            [request.Model, request.Version, window.From, window.To, position?.Key, position?.Id ?? Guid.Empty, request.Seed, limit],
            Map, ct);

    private async Task<GetPredictionsResponse> PageAsync(List<Found> found, int size, CancellationToken ct)
    {
        var page = new List<Found>();
        var values = 0L;
        foreach (var one in found.Take(size))
        {
            values += one.Values;
            // The first fits whatever it has: Inference bounds a request's values.
            if (page.Count > 0 && values > MaxPageValues) break;
            page.Add(one);
        }

        var response = new GetPredictionsResponse();
        if (page.Count == 0) return response;
        response.Records.Add(await ReadAsync(page, ct));
        if (page.Count < found.Count) response.NextPageToken = new PredictionPosition(page[^1].Key, page[^1].Id).ToString();
        return response;
    }

    private async Task<IEnumerable<PredictionRecord>> ReadAsync(List<Found> page, CancellationToken ct)
    {
        var records = page.ToDictionary(f => f.Id, f => new StoredRecord(f.Id));
        await source.InTransactionAsync(
            async transaction =>
            {
                // So that no row has a layout that came after the layouts were read.
                await transaction.ExecuteAsync("set transaction isolation level repeatable read, read only", [], ct);
                var layouts = await InputLayouts.ReadAsync(transaction, ct);
                return await transaction.QueryAsync(
                    StoredRecord.Select +
                    """
                    where prediction_id = any($1) and time between $2 and $3
                    order by prediction_id, row
                    """,
                    [page.Select(f => f.Id).ToArray(), page.Min(f => f.Time), page.Max(f => f.Time)],
                    r => records[r.GetGuid(0)].Add(r, layouts), ct);
            },
            ct);
        return page.Select(f => records[f.Id].Finish());
    }

    private static int Compare(Found found, PredictionPosition position) =>
        found.Key.CompareTo(position.Key) is not 0 and var order ? order : CompareAsPostgres(found.Id, position.Id);

    // PostgreSQL orders a uuid by its bytes as they are written, .NET does not.
    private static int CompareAsPostgres(Guid one, Guid other) =>
        one.ToByteArray(bigEndian: true).AsSpan().SequenceCompareTo(other.ToByteArray(bigEndian: true));

    private static Found Map(NpgsqlDataReader r) => new(r.GetInt64(0), r.GetGuid(1), r.GetFieldValue<DateTimeOffset>(2), r.GetInt32(3));

    private sealed record Found(long Key, Guid Id, DateTimeOffset Time, long Values);
}
