using MlOps.Contracts.Events;
using MlOps.Contracts.Monitoring.V1;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Monitoring.Labels;

/// <summary>
/// Stores what really happened, all labels of a call or none. The last label of a prediction counts; the same value again
/// changes nothing, so a call may be repeated.
/// </summary>
internal sealed class SubmitLabels(NpgsqlDataSource source, Outbox outbox, MonitoringMetrics metrics, TimeProvider time)
{
    private const int MaxLabels = 10_000;
    private const int NamedViolations = 20;

    /// <exception cref="InvalidRequestException">LABELS_INVALID, naming the index of each wrong label.</exception>
    public async Task<SubmitLabelsResponse> HandleAsync(IReadOnlyList<Label> labels, CancellationToken ct)
    {
        var now = time.GetUtcNow();
        var (last, response) = Sort(labels, now);
        if (last.Count == 0) return response;

        await source.InTransactionAsync(
            async transaction =>
            {
                var written = await WriteAsync(transaction, last, now, ct);
                response.Accepted += written.Count(w => w.IsNew);
                response.Replaced += written.Count(w => !w.IsNew);
                response.RepeatedUnchanged += last.Count - written.Count;
                response.Matched = written.Count(w => w is { IsNew: true, IsMatched: true });
                if (response.Accepted + response.Replaced > 0)
                {
                    await outbox.AddAsync(transaction, new LabelsReceived(written.Count, now), ct);
                }
            },
            ct);
        metrics.Labels.Add(response.Accepted + response.Replaced);
        return response;
    }

    /// <summary>
    /// The last label of each prediction, in one order everywhere, so that two calls do not wait for each other in a
    /// circle; the counts tell of the earlier ones in the same call.
    /// </summary>
    private static (SortedDictionary<PredictionKey, (double Value, DateTimeOffset ObservedAt)> Last, SubmitLabelsResponse Counts)
        Sort(IReadOnlyList<Label> labels, DateTimeOffset now)
    {
        var violations = new Violations();
        violations.AddIf(labels.Count > MaxLabels, "labels", $"at most {MaxLabels:N0} a call");
        var last = new SortedDictionary<PredictionKey, (double Value, DateTimeOffset ObservedAt)>();
        var counts = new SubmitLabelsResponse();
        var wrong = 0;
        for (var i = 0; i < Math.Min(labels.Count, MaxLabels) && wrong < NamedViolations; i++)
        {
            var label = labels[i];
            if (Check(label, out var key) is { } rule)
            {
                violations.Add($"labels[{i}].{rule.Field}", rule.Rule);
                wrong++;
                continue;
            }

            if (last.TryGetValue(key, out var earlier) && earlier.Value == label.Value) counts.RepeatedUnchanged++;
            else if (last.ContainsKey(key)) counts.Replaced++;
            last[key] = (label.Value, label.ObservedAtMicros == 0 ? now : Micros.ToTime(label.ObservedAtMicros));
        }

        violations.ThrowIfAny("LABELS_INVALID");
        return (last, counts);
    }

    private static FieldViolation? Check(Label label, out PredictionKey key) =>
        !PredictionKey.TryParse(label.PredictionId, out key)
            ? new("prediction_id", $"'{label.PredictionId}' must be 32 hex digits, a dot and the row")
            : !double.IsFinite(label.Value) ? new("value", $"{label.Value} is not a finite number")
            : !Micros.IsTime(label.ObservedAtMicros) ? new("observed_at_micros", "must be a time in the years 1 to 9999")
            : null;

    /// <summary>Answers what was stored; a label that was there with the same value is not among it.</summary>
    private static Task<List<(bool IsNew, bool IsMatched)>> WriteAsync(
        NpgsqlTransaction transaction, SortedDictionary<PredictionKey, (double Value, DateTimeOffset ObservedAt)> labels,
        DateTimeOffset now, CancellationToken ct) => transaction.QueryAsync(
        // xmax is 0 in a row that was just inserted and our own transaction's id in one that was updated. A label sent
        // without a time has its arrival for one, which is no reason to replace the same value.
        """
        with written as (
            insert into label as kept (prediction_id, row, value, observed_at, received_at)
            select prediction_id, row, value, observed_at, $5
            from unnest($1::uuid[], $2::int[], $3::double precision[], $4::timestamptz[])
                as sent (prediction_id, row, value, observed_at)
            on conflict (prediction_id, row) do update
            set value = excluded.value, observed_at = excluded.observed_at, received_at = excluded.received_at
            where kept.value <> excluded.value
               or (excluded.observed_at <> excluded.received_at and excluded.observed_at <> kept.observed_at)
            returning prediction_id, row, xmax = 0 as is_new
        )
        select w.is_new, coalesce(w.row < r.rows, false)
        from written w
        left join prediction_record r on r.prediction_id = w.prediction_id
        """,
        [
            labels.Keys.Select(k => k.Id).ToArray(), labels.Keys.Select(k => k.Row).ToArray(),
            labels.Values.Select(l => l.Value).ToArray(), labels.Values.Select(l => l.ObservedAt).ToArray(), now,
        ],
        r => (r.GetBoolean(0), r.GetBoolean(1)), ct);
}
