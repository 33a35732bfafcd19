using System.Text.RegularExpressions;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Monitoring.Labels;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Monitoring.Outcomes;

/// <summary>
/// Stores what predictions and subjects came to, all outcomes of a call or none. The same value again changes nothing, so a call may
/// be repeated; of several of the same prediction or event in a call the last counts.
/// </summary>
internal sealed partial class SubmitOutcomes(NpgsqlDataSource source, TimeProvider time)
{
    public const double Greatest = 1e15;
    private const int MaxOutcomes = 10_000;
    private const int MaxEventId = 128;
    private const int NamedViolations = 20;

    /// <exception cref="InvalidRequestException">OUTCOMES_INVALID, naming the index of each wrong outcome.</exception>
    public async Task<SubmitOutcomesResponse> HandleAsync(IReadOnlyList<Outcome> outcomes, CancellationToken ct)
    {
        Check(outcomes);
        var now = time.GetUtcNow();
        var ofPredictions = outcomes.Where(o => o.PredictionId.Length > 0)
            .Select(o => (Key: PredictionKey.TryParse(o.PredictionId, out var key) ? key : default, Outcome: o))
            .GroupBy(o => (o.Outcome.Metric, o.Key)).Select(g => g.Last())
            .OrderBy(o => o.Outcome.Metric, StringComparer.Ordinal).ThenBy(o => o.Key).ToArray();
        var ofSubjects = outcomes.Where(o => o.PredictionId.Length == 0)
            .Select(o => (Hash: HashedSubjects.HashOf(o.Subject), Outcome: o))
            .GroupBy(o => (o.Outcome.Metric, o.Hash, o.Outcome.EventId)).Select(g => g.Last())
            .OrderBy(o => o.Outcome.Metric, StringComparer.Ordinal).ThenBy(o => o.Hash, StringComparer.Ordinal)
            .ThenBy(o => o.Outcome.EventId, StringComparer.Ordinal).ToArray();
        var areNew = await source.InTransactionAsync(
            async transaction =>
            {
                // In one order everywhere, so that two calls do not wait for each other in a circle.
                var predictions = ofPredictions.Length == 0 ? [] : await StorePredictionsAsync(transaction, ofPredictions, now, ct);
                var subjects = ofSubjects.Length == 0 ? [] : await StoreSubjectsAsync(transaction, ofSubjects, now, ct);
                return predictions.Concat(subjects).ToArray();
            },
            ct);
        var accepted = areNew.Count(isNew => isNew);
        return new SubmitOutcomesResponse
        {
            Accepted = accepted,
            Replaced = areNew.Length - accepted,
            RepeatedUnchanged = outcomes.Count - areNew.Length,
        };
    }

    private static void Check(IReadOnlyList<Outcome> outcomes)
    {
        var violations = new Violations();
        violations.AddIf(outcomes.Count > MaxOutcomes, "outcomes", $"at most {MaxOutcomes:N0} a call");
        for (var i = 0; i < Math.Min(outcomes.Count, MaxOutcomes) && violations.Found.Count < NamedViolations; i++)
        {
            var (outcome, at) = (outcomes[i], $"outcomes[{i}]");
            var isOfPrediction = outcome.PredictionId.Length > 0;
            violations.AddIf(
                !MetricPattern().IsMatch(outcome.Metric), $"{at}.metric", "1 to 64 of letters, digits, - _ and ., starting with a letter or digit");
            violations.AddIf(
                !(Math.Abs(outcome.Value) <= Greatest), $"{at}.value", $"{outcome.Value} is not a number from -1e15 to 1e15");
            violations.AddIf(
                !Micros.IsTime(outcome.ObservedAtMicros), $"{at}.observed_at_micros", "must be a time in the years 1 to 9999");
            violations.AddIf(
                isOfPrediction == outcome.Subject.Length > 0, $"{at}.subject", "must be given where prediction_id is not, and only there");
            violations.AddIf(
                isOfPrediction && !PredictionKey.TryParse(outcome.PredictionId, out _), $"{at}.prediction_id",
                $"'{outcome.PredictionId}' must be 32 hex digits, with or without a row behind a dot");
            violations.AddIf(
                isOfPrediction == outcome.EventId.Length > 0 || outcome.EventId.Length > MaxEventId || outcome.EventId.Contains('\0'),
                $"{at}.event_id", $"must be given with a subject, 1 to {MaxEventId} characters, and only then");
        }

        violations.ThrowIfAny("OUTCOMES_INVALID");
    }

    // Both answer, for each outcome that was stored, whether it is new: xmax is 0 in a row that was just inserted.
    private static Task<List<bool>> StorePredictionsAsync(
        NpgsqlTransaction transaction, (PredictionKey Key, Outcome Outcome)[] outcomes, DateTimeOffset now, CancellationToken ct) =>
        transaction.QueryAsync(
            """
            insert into prediction_outcome as kept (metric, prediction_id, row, value, observed_at, received_at)
            select *, $6 from unnest($1::text[], $2::uuid[], $3::int[], $4::double precision[], $5::timestamptz[])
            on conflict (metric, prediction_id, row) do update
            set value = excluded.value, observed_at = excluded.observed_at, received_at = excluded.received_at
            where kept.value <> excluded.value
            returning xmax = 0
            """,
            [
                outcomes.Select(o => o.Outcome.Metric).ToArray(), outcomes.Select(o => o.Key.Id).ToArray(),
                outcomes.Select(o => o.Key.Row).ToArray(), outcomes.Select(o => o.Outcome.Value).ToArray(),
                outcomes.Select(o => TimeOf(o.Outcome, now)).ToArray(), now,
            ],
            r => r.GetBoolean(0), ct);

    private static Task<List<bool>> StoreSubjectsAsync(
        NpgsqlTransaction transaction, (string Hash, Outcome Outcome)[] outcomes, DateTimeOffset now, CancellationToken ct) =>
        transaction.QueryAsync(
            // Sent without a time an event happened when it first arrived.
            """
            insert into subject_outcome as kept (metric, subject_hash, event_id, value, observed_at, received_at)
            select *, $6 from unnest($1::text[], $2::text[], $3::text[], $4::double precision[], $5::timestamptz[])
            on conflict (metric, subject_hash, event_id) do update
            set value = excluded.value, received_at = excluded.received_at,
                observed_at = case when excluded.observed_at = excluded.received_at then kept.observed_at else excluded.observed_at end
            where kept.value <> excluded.value
               or (excluded.observed_at <> excluded.received_at and excluded.observed_at <> kept.observed_at)
            returning xmax = 0
            """,
            [
                outcomes.Select(o => o.Outcome.Metric).ToArray(), outcomes.Select(o => o.Hash).ToArray(),
                outcomes.Select(o => o.Outcome.EventId).ToArray(), outcomes.Select(o => o.Outcome.Value).ToArray(),
                outcomes.Select(o => TimeOf(o.Outcome, now)).ToArray(), now,
            ],
            r => r.GetBoolean(0), ct);

    private static DateTimeOffset TimeOf(Outcome outcome, DateTimeOffset now) =>
        outcome.ObservedAtMicros == 0 ? now : Micros.ToTime(outcome.ObservedAtMicros);

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}\z")]
    private static partial Regex MetricPattern();
}
