using Grpc.Core;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Numerics.Metrics;
using MlOps.TestServers;
using static MlOps.Monitoring.Tests.MonitoringFixture;

namespace MlOps.Monitoring.Tests;

[Collection(nameof(MonitoringFixture))]
public sealed class PerformanceTests(MonitoringFixture monitoring)
{
    private const long Hour = 3_600_000_000;

    [ServerFact]
    public async Task Figures_equal_those_of_the_pairs_by_version_variant_and_hour()
    {
        var (model, random) = (NewModel(), new Random(7));
        var records = Enumerable.Range(0, 60).Select(i => Records.Of(
            model, [.. Enumerable.Range(0, 25).Select(_ => random.NextDouble() * 100 - 20)],
            version: $"{i % 2 + 1}", variant: i % 3 == 0 ? "canary" : "", time: Records.Noon.AddMinutes(random.Next(-90, 90)))).ToArray();
        await monitoring.LogAsync(model, 60 * 25, records);
        var labels = records.SelectMany(r => Enumerable.Range(0, 20).Select(row => (
            Record: r, Prediction: r.Predictions[row], Label: Records.LabelOf(r, row, random.NextDouble() * 100 - 20)))).ToArray();
        await monitoring.Client.SubmitLabelsAsync(new() { Labels = { labels.Select(l => l.Label) } });

        var answer = await monitoring.Client.GetPerformanceAsync(new() { Model = model, BucketSeconds = 3600 });

        var expected = labels.GroupBy(l => (l.Record.Version, l.Record.Variant, Start: l.Record.TimeMicros / Hour * Hour)).ToArray();
        Assert.Equal(expected.Length, answer.Performances.Count);
        foreach (var group in expected)
        {
            var actual = Assert.Single(
                answer.Performances, p => (p.Version, p.Variant, p.BucketStartMicros) == group.Key);
            var figures = RegressionMetrics.Of([.. group.Select(l => l.Label.Value)], [.. group.Select(l => l.Prediction)]);
            Assert.Equal((figures.Count, figures.Count / 20 * 25), (actual.Labelled, actual.Predictions));
            Close(figures.Rmse, actual.Rmse);
            Close(figures.Mae, actual.Mae);
            Close(figures.MeanError, actual.Bias);
            Close(group.Average(l => l.Label.Value), actual.MeanLabel);
        }
    }

    [ServerFact]
    public async Task Without_labels_there_is_no_error_rather_than_none()
    {
        var model = NewModel();
        await monitoring.LogAsync(model, 2, Records.Of(model, [1, 4]));

        var only = Assert.Single((await monitoring.Client.GetPerformanceAsync(
            new() { Model = model, FromMicros = Micros.From(Records.Noon) })).Performances);

        Assert.Equal(
            (Micros.From(Records.Noon), 2L, 0L, double.NaN, double.NaN, double.NaN, double.NaN, 2.5),
            (only.BucketStartMicros, only.Predictions, only.Labelled, only.Rmse, only.Mae, only.Bias, only.MeanLabel, only.MeanPrediction));
    }

    [ServerFact]
    public async Task By_the_time_of_the_outcome_only_outcomes_count()
    {
        var model = NewModel();
        var record = Records.Of(model, [10, 10, 10]);
        await monitoring.LogAsync(model, 3, record);
        var outcome = new DateTimeOffset(1969, 12, 31, 23, 30, 0, TimeSpan.Zero);
        await monitoring.Client.SubmitLabelsAsync(new()
        {
            Labels = { Records.LabelOf(record, 0, 7, outcome), Records.LabelOf(record, 1, 14, outcome.AddHours(1)) },
        });

        var answer = await monitoring.Client.GetPerformanceAsync(
            new() { Model = model, BucketSeconds = 3600, TimeBasis = TimeBasis.Observed });
        var first = await monitoring.Client.GetPerformanceAsync(
            new() { Model = model, ToMicros = -1, TimeBasis = TimeBasis.Observed });

        Assert.Equal(
            [(-Hour, 1L, 1L, 3.0, 3.0), (0L, 1L, 1L, 4.0, -4.0)],
            answer.Performances.Select(p => (p.BucketStartMicros, p.Predictions, p.Labelled, p.Rmse, p.Bias)));
        Assert.Equal(7, Assert.Single(first.Performances).MeanLabel);
    }

    [ServerFact]
    public async Task A_bucket_of_no_width_is_refused() => await Refusal.OfAsync(
        () => monitoring.Client.GetPerformanceAsync(new() { Model = "any", BucketSeconds = -1 }).ResponseAsync,
        StatusCode.InvalidArgument, "BUCKET_INVALID");

    private static void Close(double expected, double actual) =>
        Assert.True(Math.Abs(expected - actual) <= 1e-12 * Math.Max(1, Math.Abs(expected)), $"{expected:R} but {actual:R}");
}
