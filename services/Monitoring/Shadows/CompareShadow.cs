using MlOps.Contracts.Monitoring.V1;
using MlOps.Monitoring.PredictionLog;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Monitoring.Shadows;

/// <summary>
/// Compares a shadow's answers with the live ones they were made beside, pair by pair, with what the labels say of both. The newest
/// pairs count, as many as fit; that there are more is said.
/// </summary>
internal sealed class CompareShadow(NpgsqlDataSource source, KnownModels models)
{
    /// <summary>Pairs that are compared: enough for a share to be known to less than a hundredth.</summary>
    public const int MostPairs = 20_000;

    private const string Of =
        """
        s.model = $1 and s.version = $2 and s.shadow_of is not null
        and ($3::timestamptz is null or s.time >= $3) and ($4::timestamptz is null or s.time < $4)
        """;

    /// <exception cref="InvalidRequestException">SHADOW_INVALID, WINDOW_INVALID.</exception>
    /// <exception cref="Grpc.Core.RpcException">NotFound, MODEL_UNKNOWN.</exception>
    public async Task<ShadowComparison> HandleAsync(CompareShadowRequest request, CancellationToken ct)
    {
        var violations = new Violations();
        violations.AddIf(request.Version.Length == 0, "version", "must be the shadow's");
        violations.AddIf(request.HasThreshold && !double.IsFinite(request.Threshold), "threshold", "must be a finite number");
        violations.ThrowIfAny("SHADOW_INVALID");
        var window = Window.Of(request.FromMicros, request.ToMicros);
        object?[] asked = [request.Model, request.Version, window.From, window.To];

        var (total, failures) = await CountAsync(asked, ct);
        if (total + failures == 0) await models.RequireAsync(request.Model, ct);
        var pairs = await ReadAsync(asked, request.Segment, ct);
        double? threshold = request.HasThreshold ? request.Threshold : null;
        var comparison = new ShadowComparison
        {
            Pairs = total,
            Failures = failures,
            All = PairComparison.Of(pairs, threshold),
            Latency = PairComparison.LatencyOf(pairs),
        };
        if (request.Segment.Length == 0) return comparison;
        comparison.Segments.Add(pairs.GroupBy(p => p.Segment, StringComparer.Ordinal).OrderByDescending(g => g.Count())
            .ThenBy(g => g.Key, StringComparer.Ordinal)
            .Select(g => new SegmentFigures { Label = g.Key, Figures = PairComparison.Of([.. g], threshold) }));
        return comparison;
    }

    private async Task<(long Pairs, long Failures)> CountAsync(object?[] asked, CancellationToken ct)
    {
        var pairs = await source.QueryFirstOrDefaultAsync(
            $"select count(*) from prediction s join prediction_record r on r.prediction_id = s.shadow_of where {Of}", asked,
            r => r.GetInt64(0), ct);
        var failures = await source.QueryFirstOrDefaultAsync(
            $"select count(*) from prediction_failure s where {Of}", asked, r => r.GetInt64(0), ct);
        return (pairs, failures);
    }

    private Task<ShadowPair[]> ReadAsync(object?[] asked, string segment, CancellationToken ct) => source.InTransactionAsync(
        async transaction =>
        {
            // So that no row has a layout that came after the layouts were read.
            await transaction.ExecuteAsync("set transaction isolation level repeatable read, read only", [], ct);
            var layouts = segment.Length > 0 ? await InputLayouts.ReadAsync(transaction, ct) : [];
            var rows = await transaction.QueryAsync(
                $"""
                select l.prediction, s.prediction, b.value, l.latency_micros, s.latency_micros, s.row = 0, s.layout_id,
                    case when $5 then s.numbers end, case when $5 then s.texts end
                from prediction s
                join prediction_record r on r.prediction_id = s.shadow_of
                join prediction l on l.prediction_id = r.prediction_id and l.time = r.time and l.row = s.row
                left join label b on b.prediction_id = l.prediction_id and b.row = l.row
                where {Of}
                order by s.time desc limit {MostPairs}
                """,
                [.. asked, segment.Length > 0], r => Map(r, segment, layouts), ct);
            return Named([.. rows.Where(r => double.IsFinite(r.Pair.Live) && double.IsFinite(r.Pair.Shadow))], segment);
        },
        ct);

    private static ShadowPair[] Named(List<(ShadowPair Pair, string? Text, double? Number)> rows, string segment)
    {
        if (segment.Length == 0) return [.. rows.Select(r => r.Pair)];
        var names = rows.Exists(r => r.Text is not null)
            ? Segments.OfTexts([.. rows.Select(r => r.Text)])
            : Segments.OfNumbers([.. rows.Select(r => r.Number)]);
        return [.. rows.Zip(names, (row, name) => row.Pair with { Segment = name })];
    }

    private static (ShadowPair Pair, string? Text, double? Number) Map(
        NpgsqlDataReader r, string segment, Dictionary<int, InputLayout> layouts)
    {
        var pair = new ShadowPair(
            r.GetDouble(0), r.GetDouble(1), r.IsDBNull(2) ? double.NaN : r.GetDouble(2), r.GetInt64(3), r.GetInt64(4), r.GetBoolean(5), "");
        if (segment.Length == 0 || layouts[r.GetInt32(6)].Find(segment) is not { } slot) return (pair, null, null);
        return slot.Kind == "t"
            ? (pair, r.GetFieldValue<string?[]>(8)[slot.Index], null)
            : (pair, null, r.GetFieldValue<double[]>(7)[slot.Index]);
    }
}
