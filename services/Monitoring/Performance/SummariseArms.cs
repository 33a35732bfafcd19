using MlOps.Contracts.Monitoring.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Monitoring.Performance;

/// <summary>
/// What a judge of versions needs of a window, by version and variant: counts, and moments of predictions, flags and errors, in
/// which values of one subject are known to belong together. Shadows are left out; labels count whenever they came.
/// </summary>
internal sealed class SummariseArms(NpgsqlDataSource source, KnownModels models)
{
    /// <summary>Name, the value of a prediction row or null where it has none.</summary>
    private static readonly (string Name, string Value)[] Measures =
    [
        ("prediction", $"case when {IsFinite("p.prediction")} then p.prediction end"),
        ("flagged", "case when p.row = 0 then (p.flags is not null)::int::double precision end"),
        ("squared", $"case when {IsFinite("p.prediction")} then (p.prediction - l.value) * (p.prediction - l.value) end"),
        ("absolute", $"case when {IsFinite("p.prediction")} then abs(p.prediction - l.value) end"),
    ];

    // Values are taken from about their mean over all arms, so that squares of large ones do not swallow the differences.
    // First per subject, then per arm: Σ(Σw(x − m))² = Σ(Σwx)² − 2mΣ(Σwx)(Σw) + m²Σ(Σw)².
    private static readonly string Query = $"""
        with seen as materialized (
            select p.version, p.variant, p.row, p.flags is not null as has_flags, l.value is not null as has_label,
                   coalesce(nullif(p.subject_hash, ''), p.prediction_id::text) as subject,
                   1 / coalesce(p.sampling_rate, 1) as w, {Each(m => $"{m.Value} as {m.Name}")}
            from prediction p
            left join label l on l.prediction_id = p.prediction_id and l.row = p.row
            where p.model = $1 and ($2::timestamptz is null or p.time >= $2) and ($3::timestamptz is null or p.time < $3)
              and p.shadow_of is null
        ),
        centre as (select {Each(m => $"coalesce(avg({m.Name}), 0) as {m.Name}")} from seen),
        of_subject as (
            select s.version, s.variant, sum(w) as predictions, coalesce(sum(w) filter (where s.row = 0), 0) as requests,
                   coalesce(sum(w) filter (where s.row = 0 and has_flags), 0) as flagged,
                   coalesce(sum(w) filter (where has_label), 0) as labelled, {Each(OfSubject)}
            from seen s cross join centre c
            group by s.version, s.variant, s.subject
        ),
        answered as (
            select version, variant, sum(requests) as requests, sum(flagged) as flagged, sum(predictions) as predictions,
                   sum(labelled) as labelled, {Each(OfArm)}
            from of_subject group by version, variant
        ),
        failed as (
            select version, variant, sum(1 / coalesce(sampling_rate, 1)) as failures
            from prediction_failure
            where model = $1 and ($2::timestamptz is null or time >= $2) and ($3::timestamptz is null or time < $3)
              and shadow_of is null
            group by version, variant
        )
        select version, variant, coalesce(a.requests, 0), coalesce(f.failures, 0), coalesce(a.flagged, 0),
               coalesce(a.predictions, 0), coalesce(a.labelled, 0), {Each(m => $"c.{m.Name}, {Sums(m, "a.")}")}
        from answered a full join failed f using (version, variant) cross join centre c
        order by length(version), version, variant
        """;

    /// <exception cref="Grpc.Core.RpcException">NotFound, MODEL_UNKNOWN</exception>
    public async Task<List<ArmStatistics>> HandleAsync(string model, Window window, CancellationToken ct)
    {
        var arms = await source.QueryAsync(Query, [model, window.From, window.To], Map, ct);
        if (arms.Count == 0) await models.RequireAsync(model, ct);
        return arms;
    }

    private static ArmStatistics Map(NpgsqlDataReader row) => new()
    {
        Version = row.GetString(0),
        Variant = row.GetString(1),
        Requests = row.GetDouble(2),
        Failures = row.GetDouble(3),
        Flagged = row.GetDouble(4),
        Predictions = row.GetDouble(5),
        Labelled = row.GetDouble(6),
        Prediction = MomentsAt(row, 7),
        FlaggedShare = MomentsAt(row, 17),
        SquaredError = MomentsAt(row, 27),
        AbsoluteError = MomentsAt(row, 37),
    };

    /// <summary>The centre and the nine sums of <see cref="Sums"/> from a column on.</summary>
    private static Moments MomentsAt(NpgsqlDataReader row, int column)
    {
        if (row.IsDBNull(column + 1) || row.GetInt64(column + 1) == 0) return new Moments { Mean = double.NaN };
        var n = row.GetInt64(column + 1);
        double Sum(int i) => row.GetDouble(column + i);
        var (w, wx) = (Sum(2), Sum(3));
        var mean = wx / w;
        var scale = n / w * (n / w);
        // Σw²(x − m)², and per subject as in the query; what rounding makes negative is zero.
        var squares = Sum(6) - 2 * mean * Sum(5) + mean * mean * Sum(4);
        var clustered = Sum(9) - 2 * mean * Sum(8) + mean * mean * Sum(7);
        return new Moments
        {
            Count = n,
            Mean = row.GetDouble(column) + mean,
            M2 = scale * Math.Max(0, squares),
            ClusteredM2 = scale * Math.Max(0, clustered),
        };
    }

    private static string OfSubject((string Name, string Value) measure)
    {
        var (x, name) = ($"(s.{measure.Name} - c.{measure.Name})", measure.Name);
        var weight = $"case when s.{name} is not null then w end";
        return $"""
            count(s.{name}) as n_{name}, coalesce(sum({weight}), 0) as w_{name}, coalesce(sum(w * {x}), 0) as wx_{name},
                   coalesce(sum(w * {weight}), 0) as ww_{name}, coalesce(sum(w * w * {x}), 0) as wwx_{name},
                   coalesce(sum(w * w * {x} * {x}), 0) as wwxx_{name}
            """;
    }

    private static string OfArm((string Name, string Value) measure)
    {
        var name = measure.Name;
        return $"""
            sum(n_{name})::bigint as n_{name}, sum(w_{name}) as w_{name}, sum(wx_{name}) as wx_{name}, sum(ww_{name}) as ww_{name},
                   sum(wwx_{name}) as wwx_{name}, sum(wwxx_{name}) as wwxx_{name}, sum(w_{name} * w_{name}) as cw_{name},
                   sum(wx_{name} * w_{name}) as cwx_{name}, sum(wx_{name} * wx_{name}) as cwxx_{name}
            """;
    }

    private static string Sums((string Name, string Value) measure, string from) => string.Join(
        ", ", new[] { "n", "w", "wx", "ww", "wwx", "wwxx", "cw", "cwx", "cwxx" }.Select(sum => $"{from}{sum}_{measure.Name}"));

    private static string Each(Func<(string Name, string Value), string> sql) => string.Join(", ", Measures.Select(sql));

    // PostgreSQL has NaN above all numbers.
    private static string IsFinite(string column) => $"{column} between -1.7e308 and 1.7e308";
}
