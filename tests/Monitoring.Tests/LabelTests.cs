using System.Collections.Concurrent;
using Grpc.Core;
using MassTransit;
using MlOps.Contracts.Events;
using MlOps.Contracts.Monitoring.V1;
using MlOps.TestServers;
using static MlOps.Monitoring.Tests.MonitoringFixture;

namespace MlOps.Monitoring.Tests;

[Collection(nameof(MonitoringFixture))]
public sealed class LabelTests(MonitoringFixture monitoring)
{
    [ServerFact]
    public async Task Labels_join_their_predictions_whichever_comes_first()
    {
        var model = NewModel();
        var (early, late) = (Records.Of(model, [1, 2]), Records.Of(model, [3]));
        await monitoring.LogAsync(model, 2, early);

        var answer = await SubmitAsync(Records.LabelOf(early, 1, 20), Records.LabelOf(late, 0, 30), Records.LabelOf(early, 2, 40));

        Assert.Equal(new SubmitLabelsResponse { Accepted = 3, Matched = 1 }, answer);
        await monitoring.LogAsync(model, 3, late);
        var counts = await monitoring.Client.GetPredictionCountsAsync(new() { Model = model });
        Assert.Equal((3, 2), (counts.Counts[0].Predictions, counts.Counts[0].Labelled));
    }

    [ServerFact]
    public async Task A_later_label_replaces_and_the_same_one_changes_nothing()
    {
        var model = NewModel();
        var record = Records.Of(model, [1]);
        await monitoring.LogAsync(model, 1, record);

        Assert.Equal(new() { Accepted = 1, Matched = 1 }, await SubmitAsync(Records.LabelOf(record, 0, 5)));
        Assert.Equal(new() { RepeatedUnchanged = 1 }, await SubmitAsync(Records.LabelOf(record, 0, 5)));
        Assert.Equal(new() { Replaced = 1 }, await SubmitAsync(Records.LabelOf(record, 0, 6)));
        Assert.Equal(new() { Replaced = 1 }, await SubmitAsync(Records.LabelOf(record, 0, 6, Records.Noon)));
        Assert.Equal(new() { RepeatedUnchanged = 1 }, await SubmitAsync(Records.LabelOf(record, 0, 6, Records.Noon)));
        Assert.Equal(
            new() { Replaced = 2, RepeatedUnchanged = 1 },
            await SubmitAsync(Records.LabelOf(record, 0, 7), Records.LabelOf(record, 0, 7), Records.LabelOf(record, 0, 8)));

        var performance = Assert.Single((await monitoring.Client.GetPerformanceAsync(new() { Model = model })).Performances);
        Assert.Equal((1L, 8.0), (performance.Labelled, performance.MeanLabel));
    }

    [ServerFact]
    public async Task A_prediction_id_without_a_row_means_the_first()
    {
        var model = NewModel();
        var record = Records.Of(model, [1, 2]);
        await monitoring.LogAsync(model, 2, record);

        var answer = await SubmitAsync(
            new Label { PredictionId = Records.IdOf(record, 0).Split('.')[0], Value = 5 }, Records.LabelOf(record, 0, 5));

        Assert.Equal(new() { Accepted = 1, RepeatedUnchanged = 1, Matched = 1 }, answer);
    }

    [ServerFact]
    public async Task The_same_labels_at_once_are_accepted_once()
    {
        var records = Enumerable.Range(0, 200).Select(_ => Records.Of("at once", [1])).ToArray();

        var answers = await Task.WhenAll(Enumerable.Range(0, 6).Select(i => SubmitAsync(
            [.. (i % 2 == 0 ? records : records.Reverse()).Select(r => Records.LabelOf(r, 0, 1))])));

        Assert.Equal(200, answers.Sum(a => a.Accepted));
        Assert.Equal(1_000, answers.Sum(a => a.RepeatedUnchanged));
    }

    [ServerFact]
    public async Task Labels_that_are_stored_are_told_of_once()
    {
        var heard = new ConcurrentQueue<LabelsReceived>();
        var bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
        {
            monitoring.Configure(rabbit);
            rabbit.ReceiveEndpoint($"{monitoring.BusPrefix}labels", endpoint =>
            {
                endpoint.AutoDelete = true;
                endpoint.Handler<LabelsReceived>(context =>
                {
                    heard.Enqueue(context.Message);
                    return Task.CompletedTask;
                });
            });
        });
        await bus.StartAsync(TimeSpan.FromSeconds(30));
        var record = Records.Of("told", [1]);

        await SubmitAsync([.. Enumerable.Range(0, 777).Select(row => Records.LabelOf(record, row, row))]);
        await SubmitAsync([.. Enumerable.Range(0, 777).Select(row => Records.LabelOf(record, row, row))]);
        await SubmitAsync([.. Enumerable.Range(0, 778).Select(row => Records.LabelOf(record, row, row + 1))]);

        await Eventually.Async(() => heard.Any(e => e.Count == 778), TimeSpan.FromSeconds(20));
        await bus.StopAsync(TimeSpan.FromSeconds(30));
        Assert.Single(heard, e => e.Count == 777);
    }

    [ServerFact]
    public async Task One_wrong_label_refuses_the_call_and_is_named_by_its_index()
    {
        var record = Records.Of("wrong", [1]);

        var words = await Refusal.OfAsync(
            () => SubmitAsync(
                Records.LabelOf(record, 0, 1), Records.LabelOf(record, 0, double.NaN), Records.LabelOf(record, 0, double.NegativeInfinity),
                new Label { PredictionId = "flight 7" }, new Label { PredictionId = Records.IdOf(record, 0) + "1x" },
                new Label { PredictionId = Records.IdOf(record, 0), ObservedAtMicros = long.MaxValue }),
            StatusCode.InvalidArgument, "LABELS_INVALID");

        Assert.All(
            ["labels[1].value:", "labels[2].value:", "labels[3].prediction_id:", "labels[4].prediction_id:", "labels[5].observed_at_micros:"],
            part => Assert.Contains(part, words, StringComparison.Ordinal));
        Assert.DoesNotContain("labels[0]", words, StringComparison.Ordinal);
        Assert.Equal(new() { Accepted = 1 }, await SubmitAsync(Records.LabelOf(record, 0, 1)));
    }

    [ServerFact]
    public async Task Ten_thousand_labels_are_taken_and_one_more_is_refused()
    {
        var record = Records.Of("many", [1]);
        var labels = Enumerable.Range(0, 10_000).Select(row => Records.LabelOf(record, row, row)).ToArray();

        Assert.Equal(new() { Accepted = 10_000 }, await SubmitAsync(labels));
        await Refusal.OfAsync(
            () => SubmitAsync([.. labels, Records.LabelOf(record, 0, 0)]), StatusCode.InvalidArgument, "LABELS_INVALID");
        Assert.Equal(new(), await SubmitAsync());
    }

    private Task<SubmitLabelsResponse> SubmitAsync(params Label[] labels) =>
        monitoring.Client.SubmitLabelsAsync(new SubmitLabelsRequest { Labels = { labels } }).ResponseAsync;
}
