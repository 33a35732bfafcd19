using Grpc.Core;
using MassTransit;
using MlOps.Contracts.Events;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;
using static MlOps.Monitoring.Tests.MonitoringFixture;

namespace MlOps.Monitoring.Tests;

[Collection(nameof(MonitoringFixture))]
public sealed class PredictionLogTests(MonitoringFixture monitoring)
{
    [ServerFact]
    public async Task A_batch_delivered_twice_is_logged_once()
    {
        var (model, batch) = (NewModel(), Guid.NewGuid());
        var record = Records.Of(model, [1, 2, 3]);

        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => monitoring.PublishAsync(batch, [record])));
        await monitoring.LogAsync(model, 4, Records.Of(model, [4]));
        await WaitUntilAllDeliveredAsync();

        Assert.Equal(4, await monitoring.CountAsync(model));
    }

    [ServerFact]
    public async Task A_record_that_comes_in_another_batch_is_logged_once_and_its_neighbours_are_kept()
    {
        var model = NewModel();
        var record = Records.Of(model, [1, 2]);
        await monitoring.LogAsync(model, 2, record);

        await monitoring.LogAsync(model, 3, record, Records.Of(model, [3]), record);

        var later = record.Clone();
        later.TimeMicros += 40L * 24 * 3600 * 1_000_000;
        await monitoring.LogAsync(model, 4, later, Records.Of(model, [4]));
        Assert.Equal([1, 2, 3, 4], await monitoring.Database.QueryAsync(
            "select prediction from prediction where model = $1 order by 1", [model], r => r.GetDouble(0), CancellationToken.None));
    }

    [ServerFact]
    public async Task A_failures_record_holds_up_nothing_and_is_no_prediction()
    {
        var model = NewModel();
        var failure = Records.Of(model, [], inputs: [Records.Doubles("distance", 1, 2)]);
        failure.Failure = "INPUT_INVALID";
        failure.Flags.Add("range:distance");

        await monitoring.LogAsync(model, 2, failure, Records.Of(model, [1, 2]), failure);

        Assert.Equal(2, await monitoring.CountAsync(model));
    }

    [ServerFact]
    public async Task Batches_at_once_make_the_partition_of_each_month_once()
    {
        var model = NewModel();
        var start = new DateTimeOffset(2003, 12, 31, 23, 59, 59, TimeSpan.Zero);

        await Task.WhenAll(Enumerable.Range(0, 24).Select(i => monitoring.PublishAsync(
            Guid.NewGuid(), [.. Enumerable.Range(0, 4).Select(m => Records.Of(model, [i], time: start.AddMonths((i + m) % 5)))])));

        await monitoring.WaitForAsync(model, 96);
        Assert.Equal(
            ["prediction_2003_12", "prediction_2004_01", "prediction_2004_02", "prediction_2004_03", "prediction_2004_04"],
            await monitoring.Database.QueryAsync(
                "select distinct tableoid::regclass::text from prediction where model = $1 order by 1", [model],
                r => r.GetString(0), CancellationToken.None));
    }

    [ServerFact]
    public async Task Inputs_are_kept_with_their_gaps()
    {
        var model = NewModel();
        var record = Records.Of(
            model, [1, double.NaN],
            inputs:
            [
                Records.Texts("origin", "SEA", ""),
                Records.Doubles("distance", double.NaN, 2.5),
                new Column { Name = "late", Booleans = new BooleanValues { Values = { true, false } }, Missing = Bits(0b10) },
                new Column { Name = "carrier", Texts = new TextValues { Values = { "a\0b", "x" } }, Missing = Bits(0b10) },
                new Column { Name = "seats", Integers = new IntegerValues { Values = { 7, -7 } } },
            ]);

        await monitoring.LogAsync(model, 2, record);

        var rows = await monitoring.Database.QueryAsync(
            """
            select p.row, p.prediction, p.numbers, p.texts, l.names, l.kinds, p.time
            from prediction p join input_layout l using (layout_id) where p.model = $1 order by p.row
            """,
            [model],
            r => (Row: r.GetInt32(0), Prediction: r.GetDouble(1), Numbers: r.GetFieldValue<double[]>(2),
                Texts: r.GetFieldValue<string?[]>(3), Names: r.GetFieldValue<string[]>(4), Kinds: r.GetFieldValue<string[]>(5),
                Time: r.GetFieldValue<DateTimeOffset>(6)),
            CancellationToken.None);
        Assert.Equal(["origin", "distance", "late", "carrier", "seats"], rows[0].Names);
        Assert.Equal(["t", "d", "b", "t", "i"], rows[0].Kinds);
        Assert.Equal((0, 1, Records.Noon), (rows[0].Row, rows[0].Prediction, rows[0].Time));
        Assert.Equal([double.NaN, 1, 7], rows[0].Numbers);
        Assert.Equal(new string?[] { "SEA", "a\uFFFDb" }, rows[0].Texts);
        Assert.Equal(double.NaN, rows[1].Prediction);
        Assert.Equal([2.5, double.NaN, -7], rows[1].Numbers);
        Assert.Equal(new string?[] { "", null }, rows[1].Texts);
    }

    [ServerFact]
    public async Task A_malformed_batch_goes_to_the_error_queue_and_holds_up_nothing()
    {
        var model = NewModel();
        await using var errors = await ErrorQueue.ListenAsync(monitoring);
        var wrong = Records.Of(model, [1, 2], inputs: [Records.Doubles("x", 1)]);
        (Guid Batch, Guid Garbled) ids = (Guid.NewGuid(), Guid.NewGuid());

        await monitoring.PublishAsync(ids.Garbled, [0xFF, 0xFF, 0xFF]);
        await monitoring.PublishAsync(ids.Batch, [Records.Of(model, [8]), wrong]);
        await monitoring.LogAsync(model, 1, Records.Of(model, [9]), Records.Of(model, [], inputs: [Records.Doubles("x", 1)]));

        await Eventually.Async(() => errors.Batches.Contains(ids.Batch) && errors.Batches.Contains(ids.Garbled), TimeSpan.FromSeconds(20));
        Assert.Equal(1, await monitoring.CountAsync(model));
    }

    [ServerFact]
    public async Task Counts_are_by_version_and_variant_within_the_window()
    {
        var model = NewModel();
        var blue = Records.Of(model, [1, 2], "2", "blue");
        await monitoring.LogAsync(
            model, 6, blue, Records.Of(model, [3], "10", "green"), Records.Of(model, [4], "2"),
            Records.Of(model, [5], "2", "blue", Records.Noon.AddHours(1)), Records.Of(model, [6], "2", "blue", Records.Noon.AddHours(-1)));
        await monitoring.Client.SubmitLabelsAsync(new() { Labels = { Records.LabelOf(blue, 1, 5) } });

        var answer = await monitoring.Client.GetPredictionCountsAsync(new WindowRequest
        {
            Model = model,
            FromMicros = Micros.From(Records.Noon),
            ToMicros = Micros.From(Records.Noon.AddHours(1)),
        });

        Assert.Equal(
            [("2", "", 1L, 0L), ("2", "blue", 2, 1), ("10", "green", 1, 0)],
            answer.Counts.Select(c => (c.Version, c.Variant, c.Predictions, c.Labelled)));
    }

    [ServerFact]
    public async Task A_model_without_traffic_counts_nothing_and_an_unknown_one_is_not_found()
    {
        var model = NewModel();
        await Refusal.OfAsync(
            () => monitoring.Client.GetPredictionCountsAsync(new() { Model = model }).ResponseAsync, StatusCode.NotFound, "MODEL_UNKNOWN");
        await Refusal.OfAsync(
            () => monitoring.Client.GetPerformanceAsync(new() { Model = model }).ResponseAsync, StatusCode.NotFound, "MODEL_UNKNOWN");
        await Refusal.OfAsync(
            () => monitoring.Client.GetPredictionCountsAsync(new() { FromMicros = 2, ToMicros = 1 }).ResponseAsync,
            StatusCode.InvalidArgument, "WINDOW_INVALID");

        await monitoring.RegisterAsync(model, null);

        Assert.Empty((await monitoring.Client.GetPredictionCountsAsync(new() { Model = model })).Counts);
        Assert.Empty((await monitoring.Client.GetPerformanceAsync(new() { Model = model })).Performances);
    }

    private static Google.Protobuf.ByteString Bits(byte bits) => Google.Protobuf.ByteString.CopyFrom(bits);

    /// <summary>Messages are taken in order, so 20 more one after the other leave no earlier one unprocessed.</summary>
    private async Task WaitUntilAllDeliveredAsync()
    {
        var last = NewModel();
        for (var i = 1; i <= 20; i++) await monitoring.LogAsync(last, i, Records.Of(last, [i]));
    }

    private sealed class ErrorQueue(IBusControl bus, HashSet<Guid> batches) : IAsyncDisposable
    {
        public HashSet<Guid> Batches
        {
            get
            {
                lock (batches) return batches.ToHashSet();
            }
        }

        public static async Task<ErrorQueue> ListenAsync(MonitoringFixture monitoring)
        {
            var batches = new HashSet<Guid>();
            var bus = Bus.Factory.CreateUsingRabbitMq(rabbit =>
            {
                monitoring.Configure(rabbit);
                // Names of queues are in kebab case, the prefix too.
                var queue = $"{monitoring.BusPrefix.Replace('_', '-')}monitoring-predictions-logged_error";
                rabbit.ReceiveEndpoint(queue, endpoint =>
                {
                    endpoint.ConfigureConsumeTopology = false;
                    endpoint.Handler<PredictionsLogged>(context =>
                    {
                        lock (batches) batches.Add(context.Message.BatchId);
                        return Task.CompletedTask;
                    });
                });
            });
            await bus.StartAsync(TimeSpan.FromSeconds(30));
            return new ErrorQueue(bus, batches);
        }

        public async ValueTask DisposeAsync() => await bus.StopAsync(TimeSpan.FromSeconds(30));
    }
}
