using MlOps.Contracts.Monitoring.V1;

namespace MlOps.Monitoring.Experiments;

/// <summary>The query behind <see cref="SumExperiment"/>, put together of constant text alone.</summary>
internal static class ExperimentQuery
{
    /// <summary>A request's subject; one that is not known is told from others by the prediction's id.</summary>
    public const string Subject = "coalesce(nullif(subject_hash, ''), prediction_id::text)";

    // $1 model, $2 arms, $3 begins and $4 ends of the periods, $5 the end of all, $6 attribution or null, $7 outcomes by metric,
    // $8 the input of the segments.
    private const string Requests = $"""
        with layout as (
            -- Where the input stands in the arrays of the log.
            select layout_id, kinds[spot] as kind,
                   (select count(*)::int from generate_series(1, spot) i where (kinds[i] = 't') = (kinds[spot] = 't')) as place
            from (select layout_id, kinds, array_position(names, @input) as spot from input_layout) l
            where kinds[spot] in ('t', 'i', 'b')
        ),
        seen as (
            select p.variant as arm, p.time, p.prediction_id, p.row, {Subject} as subject, 1 / coalesce(p.sampling_rate, 1) as w,
                   p.latency_micros, p.prediction, false as has_failed, width_bucket(p.time, $3::timestamptz[]) as period,
                   case l.kind when 't' then p.texts[l.place] when 'b' then (nullif(p.numbers[l.place], 'NaN') <> 0)::text
                        when 'i' then nullif(p.numbers[l.place], 'NaN')::numeric::text end as segment
            from prediction p left join layout l using (layout_id)
            where p.model = $1 and p.variant = any($2) and p.time >= ($3::timestamptz[])[1] and p.time < $5 and p.shadow_of is null
            union all
            select variant, time, prediction_id, 0, {Subject}, 1 / coalesce(sampling_rate, 1),
                   latency_micros, null, true, width_bucket(time, $3::timestamptz[]), null
            from prediction_failure
            where model = $1 and variant = any($2) and time >= ($3::timestamptz[])[1] and time < $5 and shadow_of is null
        ),
        request as materialized (select * from seen where time < ($4::timestamptz[])[period]),
        met as (
            select subject, period, (array_agg(arm order by time, prediction_id))[1] as arm, min(time) as first_at,
                   count(distinct arm) > 1 as has_crossed,
                   coalesce((array_agg(segment order by time, prediction_id) filter (where segment is not null))[1], '') as segment
            from request group by subject, period
        ),
        named as (select segment from met group by segment order by count(*) desc, segment limit 20),
        unit as materialized (
            select subject, period, arm, first_at, has_crossed,
                   case when segment in (select segment from named) then segment else '(other)' end as segment,
                   case when $6::interval is not null then least(first_at + $6, next_at) else least(next_at, $5) end as until
            from (select *, lead(first_at) over (partition by subject order by first_at) as next_at from met) m
        )
        """;

    private const string Counts =
        """
        select -1, arm, period, segment, count(*), count(*) filter (where has_crossed), 0.0::float8, 0.0::float8, 0.0::float8, 0.0::float8,
               0.0::float8, 0.0::float8
        from unit group by arm, period, segment
        """;

    private const string Answered = "from request where row = 0 and not has_failed group by subject, period";
    private const string Labelled = "from request r join label l using (prediction_id, row) where not r.has_failed and r.prediction between -1e150 and 1e150 group by subject, period";

    public static bool IsOfOutcomes(UnitMetricKind kind) =>
        kind is UnitMetricKind.OutcomeTotal or UnitMetricKind.OutcomeShare or UnitMetricKind.OutcomeMean;

    /// <summary>Rows of metric (−1: the subjects), arm, period from 1, segment, units, crossed, centre and the five sums.</summary>
    public static string Of(IReadOnlyList<UnitMetric> metrics, bool hasSegments)
    {
        var requests = Requests.Replace("@input", hasSegments ? "$8" : "null::text", StringComparison.Ordinal);
        var parts = metrics.Select((m, i) => $"""
            , x{i} as materialized ({UnitsOf(m.Kind, $"($7::text[])[{i + 1}]")}),
            c{i} as (select coalesce(sum(x) / nullif(sum(n), 0), 0) as centre from x{i})
            """);
        return $"{requests}{string.Concat(parts)}\n{Counts}{string.Concat(metrics.Select((_, i) => $"\nunion all\n{Sums(i)}"))}";
    }

    private static string Sums(int metric)
    {
        var y = "(x - centre * n)";
        return $"""
            select {metric}, arm, period, segment, count(*), 0, centre, sum(n), sum({y}), sum({y} * {y}), sum({y} * n), sum(n * n)
            from unit join x{metric} using (subject, period) cross join c{metric}
            where not has_crossed and n > 0 group by arm, period, segment, centre
            """;
    }

    /// <summary>Subject, period, n and x of every unit that has n.</summary>
    private static string UnitsOf(UnitMetricKind kind, string outcome) => kind switch
    {
        UnitMetricKind.ErrorRate =>
            "select subject, period, sum(w) as n, sum(case when has_failed then w else 0 end) as x from request where row = 0 group by subject, period",
        UnitMetricKind.Latency => $"select subject, period, sum(w) as n, sum(w * latency_micros / 1000.0::float8) as x {Answered}",
        UnitMetricKind.Prediction =>
            "select subject, period, sum(w) as n, sum(w * prediction) as x from request where prediction between -1e150 and 1e150 group by subject, period",
        UnitMetricKind.Label => $"select subject, period, sum(w) as n, sum(w * l.value) as x {Labelled}",
        UnitMetricKind.AbsoluteError => $"select subject, period, sum(w) as n, sum(w * abs(prediction - l.value)) as x {Labelled}",
        UnitMetricKind.SquaredError =>
            $"select subject, period, sum(w) as n, sum(w * (prediction - l.value) * (prediction - l.value)) as x {Labelled}",
        UnitMetricKind.OutcomeMean =>
            $"select subject, period, sum(w) as n, sum(w * value) as x from ({Events(outcome)}) e group by subject, period",
        UnitMetricKind.OutcomeShare =>
            $"select subject, period, 1.0::float8 as n, bool_or(coalesce(value, 0) <> 0)::int::float8 as x from unit left join ({Events(outcome)}) e using (subject, period) group by subject, period",
        _ =>
            $"select subject, period, 1.0::float8 as n, coalesce(sum(w * value), 0) as x from unit left join ({Events(outcome)}) e using (subject, period) group by subject, period",
    };

    // Of the subject's own events those count that happened after it met its arm.
    private static string Events(string outcome) => $"""
        select r.subject, r.period, r.w, o.value
        from request r join prediction_outcome o on o.prediction_id = r.prediction_id and o.row = r.row and o.metric = {outcome}
        union all
        select u.subject, u.period, 1.0::float8, o.value
        from unit u join subject_outcome o
            on o.subject_hash = u.subject and o.metric = {outcome} and o.observed_at >= u.first_at and (u.until is null or o.observed_at < u.until)
        """;
}
