using MlOps.Contracts.Monitoring.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Monitoring.Performance;

/// <summary>
/// Errors of a model's predictions against the labels that have come, by version, variant and time. A bucket starts at a
/// multiple of its width since 1970-01-01T00:00:00Z; the only bucket starts where the window does.
/// </summary>
internal sealed class MeasurePerformance(NpgsqlDataSource source, KnownModels models)
{
    private const int MaxBucketSeconds = 366 * 24 * 3600;

    /// <exception cref="InvalidRequestException">WINDOW_INVALID, BUCKET_INVALID</exception>
    /// <exception cref="Grpc.Core.RpcException">NotFound, MODEL_UNKNOWN</exception>
    public async Task<List<Contracts.Monitoring.V1.Performance>> HandleAsync(
        GetPerformanceRequest request, CancellationToken ct)
    {
        var window = Window.Of(request.FromMicros, request.ToMicros);
        if (request.BucketSeconds is < 0 or > MaxBucketSeconds)
        {
            throw new InvalidRequestException(
                "BUCKET_INVALID",
                [new FieldViolation("bucket_seconds", $"must be 1 to {MaxBucketSeconds:N0}, or 0 for one bucket")]);
        }

        // By the time an outcome was observed, only predictions with an outcome have a place.
        var (time, join) = request.TimeBasis == TimeBasis.Observed ? ("l.observed_at", "join") : ("p.time", "left join");
        var performances = await source.QueryAsync(
            $"""
            select version, variant, bucket, count(*), count(label),
                   sqrt(avg(error * error)), avg(abs(error)), avg(error), avg(label), avg(prediction)
            from (
                select p.version, p.variant, p.prediction, l.value as label, p.prediction - l.value as error,
                       case when $4::bigint = 0 then $5::bigint
                            else (floor(extract(epoch from {time}) / $4) * $4)::bigint * 1000000 end as bucket
                from prediction p
                {join} label l on l.prediction_id = p.prediction_id and l.row = p.row
                where p.model = $1 and ($2::timestamptz is null or {time} >= $2) and ($3::timestamptz is null or {time} < $3)
                  and p.shadow_of is null
            ) joined
            group by version, variant, bucket
            order by bucket, length(version), version, variant
            """,
            [request.Model, window.From, window.To, request.BucketSeconds, request.FromMicros], Map, ct);
        if (performances.Count == 0) await models.RequireAsync(request.Model, ct);
        return performances;
    }

    private static Contracts.Monitoring.V1.Performance Map(NpgsqlDataReader row) => new()
    {
        Version = row.GetString(0),
        Variant = row.GetString(1),
        BucketStartMicros = row.GetInt64(2),
        Predictions = row.GetInt64(3),
        Labelled = row.GetInt64(4),
        Rmse = Figure(row, 5),
        Mae = Figure(row, 6),
        Bias = Figure(row, 7),
        MeanLabel = Figure(row, 8),
        MeanPrediction = Figure(row, 9),
    };

    // Without labels there is no error, and no error is not an error of zero.
    private static double Figure(NpgsqlDataReader row, int column) =>
        row.IsDBNull(column) ? double.NaN : row.GetDouble(column);
}
