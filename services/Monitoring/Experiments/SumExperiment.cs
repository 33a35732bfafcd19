using MlOps.Contracts.Monitoring.V1;
using MlOps.ServiceDefaults;
using Npgsql;
using NpgsqlTypes;

namespace MlOps.Monitoring.Experiments;

/// <summary>
/// What an experiment is read from, out of the prediction log: the subjects of each arm, by the arm they met first, and sums of their
/// metrics, from which means and their errors follow with the subject as the unit. Whatever comes late is in the next answer.
/// </summary>
internal sealed class SumExperiment(NpgsqlDataSource source, KnownModels models)
{
    private const int MaxArms = 20;
    private const int MaxPeriods = 10_000;
    private const int MaxMetrics = 20;

    /// <exception cref="InvalidRequestException">EXPERIMENT_INVALID, with every broken rule; SEGMENT_INVALID.</exception>
    /// <exception cref="Grpc.Core.RpcException">NotFound, MODEL_UNKNOWN</exception>
    public async Task<List<ExperimentCell>> HandleAsync(GetExperimentSumsRequest request, CancellationToken ct)
    {
        Check(request);
        if (request.SegmentBy.Length > 0) await RequireSegmentAsync(request.SegmentBy, ct);
        var cells = new Dictionary<(string Arm, int Period, string Segment), ExperimentCell>();
        var rows = await source.QueryAsync(
            ExperimentQuery.Of(request.Metrics, hasSegments: request.SegmentBy.Length > 0), Parameters(request),
            r => Add(cells, r, request.Metrics.Count), ct);
        if (rows.Count == 0) await models.RequireAsync(request.Model, ct);
        return
        [
            .. cells.OrderBy(c => request.Arms.IndexOf(c.Key.Arm)).ThenBy(c => c.Key.Period)
                .ThenBy(c => c.Key.Segment, StringComparer.Ordinal).Select(c => c.Value),
        ];
    }

    private static void Check(GetExperimentSumsRequest request)
    {
        var violations = new Violations();
        violations.AddIf(request.Arms.Count is 0 or > MaxArms, "arms", $"must be 1 to {MaxArms}");
        violations.AddIf(request.Periods.Count is 0 or > MaxPeriods, "periods", $"must be 1 to {MaxPeriods:N0}");
        violations.AddIf(request.Metrics.Count > MaxMetrics, "metrics", $"must be at most {MaxMetrics}");
        violations.AddIf(request.AttributionMicros is < 0 or > 315_360_000_000_000, "attribution_micros", "must be 0 to ten years");
        var end = long.MinValue;
        for (var i = 0; i < Math.Min(request.Periods.Count, MaxPeriods); i++)
        {
            var (from, to) = (request.Periods[i].FromMicros, request.Periods[i].ToMicros);
            var isOpen = to == 0 && i == request.Periods.Count - 1;
            if (Micros.IsTime(from) && from >= end && (isOpen || (Micros.IsTime(to) && to > from)))
            {
                end = to;
                continue;
            }

            violations.Add($"periods[{i}]", "must end after it begins, and begin when the one before it has ended");
            break;
        }

        for (var i = 0; i < Math.Min(request.Metrics.Count, MaxMetrics); i++)
        {
            var (kind, isNamed) = (request.Metrics[i].Kind, request.Metrics[i].Outcome.Length > 0);
            violations.AddIf(
                kind == UnitMetricKind.Unspecified || !Enum.IsDefined(kind), $"metrics[{i}].kind", "must be one of the kinds");
            violations.AddIf(
                isNamed != ExperimentQuery.IsOfOutcomes(kind), $"metrics[{i}].outcome", "must be given for the kinds of outcomes, and only for them");
        }

        violations.ThrowIfAny("EXPERIMENT_INVALID");
    }

    private async Task RequireSegmentAsync(string input, CancellationToken ct)
    {
        var isThere = await source.QueryFirstOrDefaultAsync(
            "select true from input_layout where kinds[array_position(names, $1)] in ('t', 'i', 'b') limit 1", [input],
            r => r.GetBoolean(0), ct);
        if (isThere) return;
        throw new InvalidRequestException(
            "SEGMENT_INVALID", [new FieldViolation("segment_by", $"no logged model has a text, integer or boolean input '{input}'")]);
    }

    private static object?[] Parameters(GetExperimentSumsRequest request)
    {
        var ends = request.Periods.Select(p => p.ToMicros == 0 ? DateTimeOffset.MaxValue : Micros.ToTime(p.ToMicros)).ToArray();
        object?[] always =
        [
            request.Model, request.Arms.ToArray(), request.Periods.Select(p => Micros.ToTime(p.FromMicros)).ToArray(), ends, ends[^1],
            new NpgsqlParameter
            {
                Value = request.AttributionMicros == 0
                    ? DBNull.Value
                    : TimeSpan.FromTicks(request.AttributionMicros * TimeSpan.TicksPerMicrosecond),
                NpgsqlDbType = NpgsqlDbType.Interval,
            },
            request.Metrics.Select(m => m.Outcome).ToArray(),
        ];
        return request.SegmentBy.Length > 0 ? [.. always, request.SegmentBy] : always;
    }

    private static bool Add(Dictionary<(string, int, string), ExperimentCell> cells, NpgsqlDataReader r, int metrics)
    {
        var (metric, arm, period, segment) = (r.GetInt32(0), r.GetString(1), r.GetInt32(2) - 1, r.GetString(3));
        if (!cells.TryGetValue((arm, period, segment), out var cell))
        {
            cell = new ExperimentCell { Arm = arm, Period = period, Segment = segment };
            cell.Sums.Add(Enumerable.Range(0, metrics).Select(_ => new UnitSums()));
            cells.Add((arm, period, segment), cell);
        }

        if (metric < 0)
        {
            (cell.Subjects, cell.Crossed) = (r.GetInt64(4), r.GetInt64(5));
            return true;
        }

        var sums = cell.Sums[metric];
        (sums.Units, sums.Centre) = (r.GetInt64(4), r.GetDouble(6));
        (sums.N, sums.Y, sums.Yy, sums.Yn, sums.Nn) =
            (r.GetDouble(7), r.GetDouble(8), r.GetDouble(9), r.GetDouble(10), r.GetDouble(11));
        return true;
    }
}
