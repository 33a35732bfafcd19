using Google.Protobuf;
using Grpc.Core;
using MlOps.Contracts.Monitoring.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;
using static MlOps.Monitoring.Tests.MonitoringFixture;

namespace MlOps.Monitoring.Tests;

[Collection(nameof(MonitoringFixture))]
public sealed class ArmStatisticsTests(MonitoringFixture monitoring)
{
    [ServerFact]
    public async Task Counts_and_moments_equal_those_of_the_records_by_version_and_variant()
    {
        var (model, random) = (NewModel(), new Random(11));
        var records = Enumerable.Range(0, 400).Select(i => Random(model, random, i)).ToArray();
        var rows = records.Sum(r => r.Predictions.Count);
        await monitoring.LogAsync(model, rows, records);
        var labels = records.SelectMany(r => Enumerable.Range(0, r.Predictions.Count).Where(_ => random.Next(3) > 0)
            .Select(row => (Record: r, Row: row, Value: random.NextDouble() * 50))).ToArray();
        await monitoring.Client.SubmitLabelsAsync(new()
        {
            Labels = { labels.Select(l => Records.LabelOf(l.Record, l.Row, l.Value)) },
        });

        var answer = await monitoring.Client.GetArmStatisticsAsync(new() { Model = model });

        var labelOf = labels.ToDictionary(l => (l.Record, l.Row), l => l.Value);
        var live = records.Where(r => r.ShadowOf.IsEmpty).GroupBy(r => (r.Version, r.Variant)).ToArray();
        Assert.Equal(live.Select(g => g.Key).Order(), answer.Arms.Select(a => (a.Version, a.Variant)).Order());
        foreach (var group in live)
        {
            var arm = answer.Arms.Single(a => (a.Version, a.Variant) == group.Key);
            var answered = group.Where(r => r.Failure.Length == 0).ToArray();
            var cells = answered.SelectMany(r => r.Predictions.Select((p, row) => new Cell(r, row, p))).ToArray();
            var errors = cells.Where(c => double.IsFinite(c.Value) && labelOf.ContainsKey((c.Record, c.Row)))
                .Select(c => c with { Value = c.Value - labelOf[(c.Record, c.Row)] }).ToArray();

            Close(answered.Sum(Weight), arm.Requests);
            Close(group.Where(r => r.Failure.Length > 0).Sum(Weight), arm.Failures);
            Close(answered.Where(r => r.Flags.Count > 0).Sum(Weight), arm.Flagged);
            Close(cells.Sum(c => Weight(c.Record)), arm.Predictions);
            Close(cells.Where(c => labelOf.ContainsKey((c.Record, c.Row))).Sum(c => Weight(c.Record)), arm.Labelled);
            Same([.. cells.Where(c => double.IsFinite(c.Value))], arm.Prediction);
            Same([.. answered.Select(r => new Cell(r, 0, r.Flags.Count > 0 ? 1 : 0))], arm.FlaggedShare);
            Same([.. errors.Select(c => c with { Value = c.Value * c.Value })], arm.SquaredError);
            Same([.. errors.Select(c => c with { Value = Math.Abs(c.Value) })], arm.AbsoluteError);
        }
    }

    [ServerFact]
    public async Task Large_values_lose_no_spread_and_subjects_seen_once_change_nothing()
    {
        var model = NewModel();
        await monitoring.LogAsync(model, 4, Enumerable.Range(0, 4).Select(i => Records.Of(model, [1e9 + i])));

        var arm = Assert.Single((await monitoring.Client.GetArmStatisticsAsync(new() { Model = model })).Arms);

        Assert.Equal((4, 1e9 + 1.5, 5.0, 5.0), (arm.Prediction.Count, arm.Prediction.Mean, arm.Prediction.M2, arm.Prediction.ClusteredM2));
        Assert.Equal((0L, double.NaN), (arm.SquaredError.Count, arm.SquaredError.Mean));
    }

    [ServerFact]
    public async Task Only_the_window_counts_and_failures_alone_are_an_arm_too()
    {
        var model = NewModel();
        var failure = Records.Of(model, [], "2", "canary");
        failure.Failure = "INPUT_INVALID";
        await monitoring.LogAsync(model, 2, Records.Of(model, [1]), Records.Of(model, [2], time: Records.Noon.AddHours(2)), failure);

        var answer = await monitoring.Client.GetArmStatisticsAsync(new()
        {
            Model = model,
            FromMicros = Micros.From(Records.Noon),
            ToMicros = Micros.From(Records.Noon.AddHours(1)),
        });

        Assert.Equal(
            [("1", "", 1.0, 0.0), ("2", "canary", 0, 1)], answer.Arms.Select(a => (a.Version, a.Variant, a.Requests, a.Failures)));
        Assert.Empty((await monitoring.Client.GetArmStatisticsAsync(new() { Model = model, ToMicros = 1 })).Arms);
        await Refusal.OfAsync(
            () => monitoring.Client.GetArmStatisticsAsync(new() { Model = NewModel() }).ResponseAsync, StatusCode.NotFound, "MODEL_UNKNOWN");
    }

    [ServerFact]
    public async Task A_failed_record_is_kept_whole_and_a_shadow_is_no_traffic()
    {
        var model = NewModel();
        var failed = Records.Of(model, [], "", "canary", null, Records.Texts("origin", "SEA", "?"));
        (failed.Failure, failed.SubjectHash, failed.SamplingRate) = ("INPUT_INVALID", "abc", 0.25);
        failed.Flags.AddRange(["range:distance", "odd\0"]);
        var shadow = Records.Of(model, [5], "2");
        shadow.ShadowOf = Records.Of(model, [1]).PredictionId;
        shadow.Flags.Add("stale:x");
        await monitoring.LogAsync(model, 2, failed, shadow, Records.Of(model, [7]));

        var stored = Assert.Single(await monitoring.Database.QueryAsync(
            """
            select prediction_id, time, version, variant, failure, flags, inputs, subject_hash, latency_micros, mode, shadow_of, sampling_rate
            from prediction_failure where model = $1
            """,
            [model],
            r => new PredictionRecord
            {
                PredictionId = ByteString.CopyFrom(r.GetGuid(0).ToByteArray(bigEndian: true)),
                Model = model,
                TimeMicros = Micros.From(r.GetFieldValue<DateTimeOffset>(1)),
                Version = r.GetString(2),
                Variant = r.GetString(3),
                Failure = r.GetString(4),
                Flags = { r.GetFieldValue<string[]>(5) },
                Inputs = Contracts.Tables.V1.Table.Parser.ParseFrom(r.GetFieldValue<byte[]>(6)),
                SubjectHash = r.GetString(7),
                LatencyMicros = r.GetInt64(8),
                Mode = r.GetString(9),
                SamplingRate = r.GetDouble(11),
            },
            CancellationToken.None));
        failed.Flags[1] = "odd\uFFFD";
        Assert.Equal(failed, stored);
        var row = Assert.Single(await monitoring.Database.QueryAsync(
            "select shadow_of, flags, sampling_rate is null from prediction where model = $1 and shadow_of is not null", [model],
            r => (r.GetGuid(0), r.GetFieldValue<string[]>(1), r.GetBoolean(2)), CancellationToken.None));
        Assert.Equal(new Guid(shadow.ShadowOf.Span, bigEndian: true), row.Item1);
        Assert.Equal(["stale:x"], row.Item2);
        Assert.True(row.Item3);

        var counts = await monitoring.Client.GetPredictionCountsAsync(new() { Model = model });
        Assert.Equal(["1"], counts.Counts.Select(c => c.Version));
        var performances = await monitoring.Client.GetPerformanceAsync(new() { Model = model });
        Assert.Equal(["1"], performances.Performances.Select(p => p.Version));
    }

    private static PredictionRecord Random(string model, Random random, int i)
    {
        var isFailure = random.Next(10) == 0;
        var record = Records.Of(
            model, isFailure ? [] : [.. Enumerable.Range(0, 1 + random.Next(3)).Select(_ => random.Next(40) == 0 ? double.NaN : random.NextDouble() * 50)],
            version: $"{i % 3 + 1}", variant: i % 2 == 0 ? "stable" : "canary");
        if (isFailure) record.Failure = "MODEL_FAILED";
        if (random.Next(5) == 0) record.Flags.Add("range:x");
        if (random.Next(8) == 0) record.ShadowOf = ByteString.CopyFrom(Guid.NewGuid().ToByteArray());
        if (random.Next(3) > 0) record.SubjectHash = $"s{random.Next(20)}";
        record.SamplingRate = random.Next(4) switch { 0 => 0.5, 1 => 0.1, 2 => 1, _ => 0 };
        return record;
    }

    private sealed record Cell(PredictionRecord Record, int Row, double Value)
    {
        public string Subject => Record.SubjectHash.Length > 0 ? Record.SubjectHash : Convert.ToHexString(Record.PredictionId.Span);
    }

    private static double Weight(PredictionRecord record) => record.SamplingRate == 0 ? 1 : 1 / record.SamplingRate;

    private static void Same(Cell[] cells, Moments actual)
    {
        Assert.Equal(cells.Length, actual.Count);
        if (cells.Length == 0) return;
        var weights = cells.Sum(c => Weight(c.Record));
        var mean = cells.Sum(c => Weight(c.Record) * c.Value) / weights;
        var scale = Math.Pow(cells.Length / weights, 2);
        double Apart(Cell c) => Weight(c.Record) * (c.Value - mean);
        Close(mean, actual.Mean);
        Close(scale * cells.Sum(c => Math.Pow(Apart(c), 2)), actual.M2);
        Close(scale * cells.GroupBy(c => c.Subject).Sum(s => Math.Pow(s.Sum(Apart), 2)), actual.ClusteredM2);
    }

    private static void Close(double expected, double actual) =>
        Assert.True(Math.Abs(expected - actual) <= 1e-9 * Math.Max(1, Math.Abs(expected)), $"{expected:R} but {actual:R}");
}
