using MlOps.Contracts.Monitoring.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Monitoring.PredictionLog;

/// <summary>How many predictions each version and variant of a model answered in a window, and how many have a label.</summary>
internal sealed class CountPredictions(NpgsqlDataSource source, KnownModels models)
{
    /// <exception cref="Grpc.Core.RpcException">NotFound, MODEL_UNKNOWN</exception>
    public async Task<List<GetPredictionCountsResponse.Types.Count>> HandleAsync(
        string model, Window window, CancellationToken ct)
    {
        var counts = await source.QueryAsync(
            """
            select p.version, p.variant, count(*), count(l.value)
            from prediction p
            left join label l on l.prediction_id = p.prediction_id and l.row = p.row
            where p.model = $1 and ($2::timestamptz is null or p.time >= $2) and ($3::timestamptz is null or p.time < $3)
              and p.shadow_of is null
            group by p.version, p.variant
            order by length(p.version), p.version, p.variant
            """,
            [model, window.From, window.To],
            r => new GetPredictionCountsResponse.Types.Count
            {
                Version = r.GetString(0),
                Variant = r.GetString(1),
                Predictions = r.GetInt64(2),
                Labelled = r.GetInt64(3),
            },
            ct);
        if (counts.Count == 0) await models.RequireAsync(model, ct);
        return counts;
    }
}
