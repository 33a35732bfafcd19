using Google.Protobuf;
using Grpc.Core;
using MlOps.Contracts.Monitoring.V1;
using MlOps.TestServers;
using static MlOps.Monitoring.Tests.MonitoringFixture;

namespace MlOps.Monitoring.Tests;

[Collection(nameof(MonitoringFixture))]
public sealed class ExperimentSumsTests(MonitoringFixture monitoring)
{
    private static readonly string[] Arms = ["a", "b"];
    private static readonly string[] Origins = ["JFK", "LAX", "SFO"];

    [ServerFact]
    public async Task Sums_equal_those_made_of_the_records_by_hand()
    {
        var (model, random) = (NewModel(), new Random(21));
        var records = Enumerable.Range(0, 600).Select(i => Random(model, random, i)).ToArray();
        await monitoring.LogAsync(model, records.Sum(r => r.Predictions.Count), records);
        var labels = records.Where(r => r.Failure.Length == 0 && random.Next(2) == 0).Select(r => Records.LabelOf(r, 0, random.NextDouble())).ToArray();
        await monitoring.Client.SubmitLabelsAsync(new() { Labels = { labels } });
        // Each metric has a name of this test's own: outcomes belong to subjects, not to models.
        var (bought, scored) = ($"bought-{Guid.NewGuid():N}", $"scored-{Guid.NewGuid():N}");
        var subjects = records.Select(r => r.SubjectHash).Where(h => h.Length > 0).Distinct().ToArray();
        var events = subjects.SelectMany(hash => Enumerable.Range(0, random.Next(4)).Select(i => (
            Hash: hash, Value: random.Next(3) * 10.0, At: Records.Noon + TimeSpan.FromMinutes(random.Next(-30, 700)), Id: $"{i}"))).ToArray();
        await monitoring.Client.SubmitOutcomesAsync(new()
        {
            Outcomes = { events.Select(e => new Outcome { Metric = bought, Value = e.Value, Subject = KeyOf(e.Hash), EventId = e.Id, ObservedAtMicros = Micros.From(e.At) }) },
        });
        var scores = records.Where(r => r.Failure.Length == 0 && random.Next(3) == 0).ToDictionary(r => r, _ => random.NextDouble() * 5);
        await monitoring.Client.SubmitOutcomesAsync(new()
        {
            Outcomes = { scores.Select(s => new Outcome { Metric = scored, Value = s.Value, PredictionId = Records.IdOf(s.Key, 0) }) },
        });

        var periods = new[] { (From: Records.Noon, To: Records.Noon.AddMinutes(240)), (From: Records.Noon.AddMinutes(250), To: Records.Noon.AddMinutes(600)) };
        var request = new GetExperimentSumsRequest
        {
            Model = model,
            Arms = { Arms },
            Periods = { periods.Select(p => new Period { FromMicros = Micros.From(p.From), ToMicros = Micros.From(p.To) }) },
            Metrics =
            {
                Kind(UnitMetricKind.ErrorRate), Kind(UnitMetricKind.Latency), Kind(UnitMetricKind.Prediction), Kind(UnitMetricKind.Label),
                Kind(UnitMetricKind.AbsoluteError), Kind(UnitMetricKind.SquaredError), Kind(UnitMetricKind.OutcomeTotal, bought),
                Kind(UnitMetricKind.OutcomeShare, bought), Kind(UnitMetricKind.OutcomeMean, scored),
            },
            SegmentBy = "origin",
        };
        var answer = await monitoring.Client.GetExperimentSumsAsync(request);

        var labelOf = labels.ToDictionary(l => l.PredictionId, l => l.Value);
        var units = UnitsOf(records, periods);
        Assert.True(units.Count(u => u.HasCrossed) > 3);
        foreach (var group in units.GroupBy(u => (u.Arm, u.Period, u.Segment)))
        {
            var cell = answer.Cells.Single(c => (c.Arm, c.Period, c.Segment) == group.Key);
            Assert.Equal((group.Count(), group.Count(u => u.HasCrossed)), (cell.Subjects, cell.Crossed));
            var kept = group.Where(u => !u.HasCrossed).ToArray();
            var failed = (PredictionRecord r) => r.Failure.Length > 0;
            Same(cell, 0, kept, u => (u.Records.Sum(Weight), u.Records.Where(failed).Sum(Weight)));
            Same(cell, 1, kept, u => Weighted(u.Records.Where(r => !failed(r)), r => r.LatencyMicros / 1000.0));
            Same(cell, 2, kept, u => (
                u.Records.Where(r => !failed(r)).Sum(r => Weight(r) * r.Predictions.Count), u.Records.Sum(r => Weight(r) * r.Predictions.Sum())));
            var labelled = (Unit u) => u.Records.Where(r => labelOf.ContainsKey(Records.IdOf(r, 0)));
            double Error(PredictionRecord r) => r.Predictions[0] - labelOf[Records.IdOf(r, 0)];
            Same(cell, 3, kept, u => Weighted(labelled(u), r => labelOf[Records.IdOf(r, 0)]));
            Same(cell, 4, kept, u => Weighted(labelled(u), r => Math.Abs(Error(r))));
            Same(cell, 5, kept, u => Weighted(labelled(u), r => Error(r) * Error(r)));
            double[] Bought(Unit u) => [.. events.Where(e => e.Hash == u.Subject && e.At >= u.First && e.At < u.Until).Select(e => e.Value)];
            Same(cell, 6, kept, u => (1, Bought(u).Sum()));
            Same(cell, 7, kept, u => (1, Bought(u).Any(v => v != 0) ? 1 : 0));
            Same(cell, 8, kept, u => Weighted(u.Records.Where(scores.ContainsKey), r => scores[r]));
        }

        Assert.Equal(units.Select(u => (u.Arm, u.Period, u.Segment)).Distinct().Count(), answer.Cells.Count);
        // Without segments the same subjects, and within an hour fewer of their outcomes.
        request.SegmentBy = "";
        request.AttributionMicros = 3_600_000_000;
        var whole = await monitoring.Client.GetExperimentSumsAsync(request);
        Assert.Equal(units.Count, whole.Cells.Sum(c => c.Subjects));
        var hour = units.Where(u => !u.HasCrossed).Sum(u => events.Where(e =>
            e.Hash == u.Subject && e.At >= u.First && e.At < u.Next && e.At < u.First.AddHours(1)).Sum(e => e.Value));
        Assert.Equal(hour, whole.Cells.Sum(c => c.Sums[6].Y + c.Sums[6].Centre * c.Sums[6].N), 1e-6);
    }

    [ServerFact]
    public async Task Outcomes_are_stored_once_and_the_last_value_of_each_counts()
    {
        var (metric, id) = ($"m-{Guid.NewGuid():N}", $"{Guid.NewGuid():N}");
        var ofSubject = new Outcome { Metric = metric, Value = 3, Subject = "ann", EventId = "1" };
        var ofPrediction = new Outcome { Metric = metric, Value = 4, PredictionId = id };
        Task<SubmitOutcomesResponse> Send(params Outcome[] outcomes) =>
            monitoring.Client.SubmitOutcomesAsync(new() { Outcomes = { outcomes } }).ResponseAsync;

        Assert.Equal(new SubmitOutcomesResponse { Accepted = 2 }, await Send(ofSubject, ofPrediction));
        Assert.Equal(new SubmitOutcomesResponse { RepeatedUnchanged = 2 }, await Send(ofSubject, ofPrediction));
        var other = ofSubject.Clone();
        other.Value = 5;
        Assert.Equal(new SubmitOutcomesResponse { Replaced = 1, RepeatedUnchanged = 1 }, await Send(ofSubject, other));
        await using var command = monitoring.Database.CreateCommand(
            $"select value, subject_hash from subject_outcome where metric = '{metric}'");
        await using var reader = await command.ExecuteReaderAsync();
        Assert.True(await reader.ReadAsync());
        Assert.Equal((5.0, HashedSubjects.HashOf("ann")), (reader.GetDouble(0), reader.GetString(1)));
        Assert.False(await reader.ReadAsync());
    }

    [ServerFact]
    public async Task What_is_wrong_with_an_outcome_is_named_and_none_of_the_call_is_stored()
    {
        var metric = $"m-{Guid.NewGuid():N}";
        var failure = await Assert.ThrowsAsync<RpcException>(() => monitoring.Client.SubmitOutcomesAsync(new()
        {
            Outcomes =
            {
                new Outcome { Metric = metric, Value = 1, Subject = "ann", EventId = "1" },
                new Outcome { Metric = "two words", Value = double.NaN, Subject = "ann", EventId = "1" },
                new Outcome { Metric = metric, Value = 1, Subject = "ann" },
                new Outcome { Metric = metric, Value = 1, PredictionId = "xyz", Subject = "ann" },
                new Outcome { Metric = metric, Value = 1 },
            },
        }).ResponseAsync);
        Assert.Equal(StatusCode.InvalidArgument, failure.StatusCode);
        foreach (var field in new[]
        {
            "outcomes[1].metric", "outcomes[1].value", "outcomes[2].event_id", "outcomes[3].subject", "outcomes[3].prediction_id", "outcomes[4].subject",
        })
        {
            Assert.Contains(field, failure.Status.Detail, StringComparison.Ordinal);
        }

        Assert.Equal(1, (await monitoring.Client.SubmitOutcomesAsync(new()
        {
            Outcomes = { new Outcome { Metric = metric, Value = 1, Subject = "ann", EventId = "1" } },
        })).Accepted);
    }

    [ServerFact]
    public async Task A_wrong_question_names_its_field()
    {
        var failure = await Assert.ThrowsAsync<RpcException>(() => monitoring.Client.GetExperimentSumsAsync(new()
        {
            Model = "m",
            Periods = { new Period { FromMicros = 10, ToMicros = 5 } },
            Metrics = { Kind(UnitMetricKind.OutcomeShare), Kind(UnitMetricKind.Unspecified) },
        }).ResponseAsync);
        Assert.Equal(StatusCode.InvalidArgument, failure.StatusCode);
        foreach (var field in new[] { "arms", "periods[0]", "metrics[0].outcome", "metrics[1].kind" })
            Assert.Contains(field, failure.Status.Detail, StringComparison.Ordinal);
        var unknown = await Assert.ThrowsAsync<RpcException>(() => monitoring.Client.GetExperimentSumsAsync(new()
        {
            Model = "m",
            Arms = { "a" },
            Periods = { new Period { FromMicros = 10 } },
            SegmentBy = "no-such-input",
        }).ResponseAsync);
        Assert.Contains("segment_by", unknown.Status.Detail, StringComparison.Ordinal);
    }

    private static PredictionRecord Random(string model, Random random, int i)
    {
        // A hundred subjects, who stay with their arm but for a few, and some requests of nobody.
        var subject = random.Next(100);
        var arm = random.Next(60) == 0 ? 1 : subject % 2;
        var origin = Origins[subject % 3];
        var record = Records.Of(
            model, [random.NextDouble() * 10], arm == 0 ? "1" : "2", Arms[arm], Records.Noon + TimeSpan.FromMinutes(random.Next(0, 660)),
            Records.Doubles("x", 1), Records.Texts("origin", origin));
        record.SubjectHash = random.Next(12) == 0 ? "" : HashedSubjects.HashOf($"{model}-{subject}");
        Keys[record.SubjectHash] = $"{model}-{subject}";
        record.LatencyMicros = random.Next(500, 5_000);
        record.SamplingRate = random.Next(4) == 0 ? 0.5 : 0;
        if (i % 9 == 0)
        {
            record.Predictions.Clear();
            record.Inputs = null;
            record.Failure = "MODEL_FAILED";
        }

        if (i % 50 == 7) record.Variant = "outside";
        if (i % 50 == 8) record.ShadowOf = ByteString.CopyFrom(Guid.NewGuid().ToByteArray());
        return record;
    }

    private static readonly Dictionary<string, string> Keys = [];

    private static string KeyOf(string hash) => Keys[hash];

    private static UnitMetric Kind(UnitMetricKind kind, string outcome = "") => new() { Kind = kind, Outcome = outcome };

    private static double Weight(PredictionRecord record) => record.SamplingRate is 0 ? 1 : 1 / record.SamplingRate;

    private static (double N, double X) Weighted(IEnumerable<PredictionRecord> records, Func<PredictionRecord, double> value)
    {
        var all = records.ToArray();
        return (all.Sum(Weight), all.Sum(r => Weight(r) * value(r)));
    }

    private static List<Unit> UnitsOf(PredictionRecord[] records, (DateTimeOffset From, DateTimeOffset To)[] periods)
    {
        var seen = records.Where(r => r.ShadowOf.IsEmpty && Arms.Contains(r.Variant))
            .Select(r => (Record: r, Time: Micros.ToTime(r.TimeMicros)))
            .Select(r => (r.Record, r.Time, Period: Array.FindIndex(periods, p => r.Time >= p.From && r.Time < p.To)))
            .Where(r => r.Period >= 0);
        var units = seen.GroupBy(r => (
                Subject: r.Record.SubjectHash.Length > 0 ? r.Record.SubjectHash : Convert.ToHexString(r.Record.PredictionId.Span), r.Period))
            .Select(g => (g.Key, Records: g.OrderBy(r => r.Time).ThenBy(r => Convert.ToHexString(r.Record.PredictionId.Span), StringComparer.Ordinal).ToArray()))
            .Select(g => new Unit(
                g.Key.Subject, g.Key.Period, g.Records[0].Record.Variant, g.Records[0].Time,
                g.Records.Select(r => r.Record.Variant).Distinct().Count() > 1,
                g.Records.Select(r => r.Record.Inputs?.Columns[1].Texts.Values[0]).FirstOrDefault(s => s is not null) ?? "",
                [.. g.Records.Select(r => r.Record)]))
            .ToList();
        foreach (var unit in units)
        {
            unit.Next = units.Where(u => u.Subject == unit.Subject && u.First > unit.First).Select(u => u.First).DefaultIfEmpty(DateTimeOffset.MaxValue).Min();
            unit.Until = unit.Next < periods[^1].To ? unit.Next : periods[^1].To;
        }

        return units;
    }

    private static void Same(ExperimentCell cell, int metric, Unit[] kept, Func<Unit, (double N, double X)> of)
    {
        var sums = cell.Sums[metric];
        var units = kept.Select(of).Where(u => u.N > 0).ToArray();
        Assert.Equal(units.Length, sums.Units);
        var ys = units.Select(u => u.X - sums.Centre * u.N).ToArray();
        foreach (var (expected, actual) in new[]
        {
            (units.Sum(u => u.N), sums.N), (ys.Sum(), sums.Y), (ys.Sum(y => y * y), sums.Yy),
            (ys.Zip(units, (y, u) => y * u.N).Sum(), sums.Yn), (units.Sum(u => u.N * u.N), sums.Nn),
        })
        {
            Assert.True(Math.Abs(expected - actual) <= 1e-9 * Math.Max(1, Math.Abs(expected)), $"metric {metric}: expected {expected:R}, got {actual:R}");
        }
    }

    private sealed record Unit(
        string Subject, int Period, string Arm, DateTimeOffset First, bool HasCrossed, string Segment, PredictionRecord[] Records)
    {
        public DateTimeOffset Next { get; set; }

        public DateTimeOffset Until { get; set; }
    }
}
