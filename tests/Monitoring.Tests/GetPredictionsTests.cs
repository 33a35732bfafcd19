using Google.Protobuf;
using Grpc.Core;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.TestServers;
using static MlOps.Monitoring.Tests.MonitoringFixture;

namespace MlOps.Monitoring.Tests;

[Collection(nameof(MonitoringFixture))]
public sealed class GetPredictionsTests(MonitoringFixture monitoring)
{
    [ServerFact]
    public async Task A_record_comes_back_as_it_was_logged()
    {
        var model = NewModel();
        var record = Records.Of(
            model, [1.25, double.NaN, -3], version: "7", variant: "blue",
            inputs:
            [
                Records.Texts("origin", "SEA", "", "Ünï"),
                Records.Doubles("distance", double.NaN, 2.5, 0.1f),
                new Column { Name = "late", Booleans = new BooleanValues { Values = { true, false, false } }, Missing = ByteString.CopyFrom(0b100) },
                new Column { Name = "carrier", Texts = new TextValues { Values = { "a", "", "b" } }, Missing = ByteString.CopyFrom(0b010) },
                new Column { Name = "seats", Integers = new IntegerValues { Values = { 7, -9_007_199_254_740_992, 0 } } },
                new Column { Name = "at", Times = new TimeValues { Values = { 0, 1_600_000_000_000_001, -5 } } },
            ]);
        record.SubjectHash = "ab12";
        record.Flags.Add(["range:distance", "missing:carrier"]);
        record.ShadowOf = ByteString.CopyFrom(Guid.NewGuid().ToByteArray(bigEndian: true));
        record.SamplingRate = 0.25;
        await monitoring.LogAsync(model, 3, record);

        var byId = await monitoring.Client.GetPredictionsAsync(new() { PredictionIds = { Records.IdOf(record, 2), Records.IdOf(record, 0) } });
        var byModel = await monitoring.Client.GetPredictionsAsync(new() { Model = model });

        Assert.Equal(record, Assert.Single(byId.Records));
        Assert.Equal(record, Assert.Single(byModel.Records));
        Assert.Empty(byId.Missing);
        Assert.Empty(byModel.NextPageToken);
    }

    [ServerFact]
    public async Task Pages_by_time_and_shuffled_hold_every_record_of_the_window_once()
    {
        var model = NewModel();
        var start = new DateTimeOffset(2021, 1, 31, 23, 0, 0, TimeSpan.Zero);
        PredictionRecord[] records = [.. Enumerable.Range(0, 30).Select(i => Records.Of(
            model, [i, i], version: i % 3 == 0 ? "2" : "1", time: start.AddMinutes(10 * (i / 2)), inputs: [Records.Doubles("x", i, i)]))];
        await monitoring.LogAsync(model, 60, records);
        var request = new GetPredictionsRequest
        {
            Model = model,
            Version = "1",
            FromMicros = Micros.From(start.AddMinutes(10)),
            ToMicros = Micros.From(start.AddMinutes(140)),
            PageSize = 4,
        };
        PredictionRecord[] expected = [.. records.Where((_, i) => i % 3 != 0 && i is >= 2 and < 28)];

        var byTime = await AllAsync(request);
        var shuffled = await AllAsync(new(request) { Shuffled = true, Seed = 5 });
        var again = await AllAsync(new(request) { Shuffled = true, Seed = 5, PageSize = 7 });
        var otherwise = await AllAsync(new(request) { Shuffled = true, Seed = 6 });

        Assert.Equal(expected.Select(r => r.TimeMicros), byTime.Select(r => r.TimeMicros));
        Assert.Equal(Ids(expected).Order(), Ids(byTime).Order());
        Assert.Equal(Ids(expected).Order(), Ids(shuffled).Order());
        Assert.Equal(Ids(shuffled), Ids(again));
        Assert.NotEqual(Ids(shuffled), Ids(otherwise));
        Assert.NotEqual(Ids(shuffled), Ids(byTime));
    }

    [ServerFact]
    public async Task A_page_is_bounded_by_its_values_and_the_rest_follows_by_ids_too()
    {
        var model = NewModel();
        var wide = Enumerable.Range(0, 100).Select(i => Records.Doubles($"x{i}", [.. Enumerable.Repeat(0.5, 1_000)])).ToArray();
        PredictionRecord[] records = [.. Enumerable.Range(0, 5).Select(i => Records.Of(model, [.. Enumerable.Repeat(1.0, 1_000)], inputs: wide))];
        await monitoring.LogAsync(model, 5_000, records);

        var first = await monitoring.Client.GetPredictionsAsync(new() { Model = model });
        var byIds = new GetPredictionsRequest { PredictionIds = { Ids(records), Guid.Empty.ToString("N") } };
        var all = await AllAsync(byIds);

        Assert.Equal(2, first.Records.Count);
        Assert.Equal(Ids(records).Order(), Ids(all));
        Assert.Equal([Guid.Empty.ToString("N")], (await monitoring.Client.GetPredictionsAsync(byIds)).Missing);
    }

    [ServerFact]
    public async Task What_cannot_be_asked_is_refused_by_name()
    {
        var model = NewModel();
        await monitoring.LogAsync(model, 1, Records.Of(model, [1]));

        await RefusedAsync(new() { Model = model, PageSize = 1_001 }, StatusCode.InvalidArgument, "page_size");
        await RefusedAsync(new() { Model = model, PageToken = "nonsense" }, StatusCode.InvalidArgument, "page_token");
        await RefusedAsync(new() { Model = model, FromMicros = 2, ToMicros = 1 }, StatusCode.InvalidArgument, "to_micros");
        await RefusedAsync(new() { PredictionIds = { "12" } }, StatusCode.InvalidArgument, "prediction_ids[0]");
        await RefusedAsync(new() { Model = model, PredictionIds = { Guid.Empty.ToString("N") } }, StatusCode.InvalidArgument, "prediction_ids");
        await RefusedAsync(new() { Model = NewModel() }, StatusCode.NotFound, "");
        await RefusedAsync(new(), StatusCode.InvalidArgument, "model");
        Assert.Empty((await monitoring.Client.GetPredictionsAsync(new() { Model = model, Version = "9" })).Records);
    }

    private async Task RefusedAsync(GetPredictionsRequest request, StatusCode status, string words)
    {
        var refusal = await Assert.ThrowsAsync<RpcException>(() => monitoring.Client.GetPredictionsAsync(request).ResponseAsync);
        Assert.Equal(status, refusal.StatusCode);
        Assert.Contains(words, refusal.Status.Detail, StringComparison.Ordinal);
    }

    private async Task<List<PredictionRecord>> AllAsync(GetPredictionsRequest request)
    {
        var all = new List<PredictionRecord>();
        for (var token = ""; ;)
        {
            var page = await monitoring.Client.GetPredictionsAsync(new(request) { PageToken = token });
            all.AddRange(page.Records);
            if (page.NextPageToken.Length == 0) return all;
            token = page.NextPageToken;
        }
    }

    private static IEnumerable<string> Ids(IEnumerable<PredictionRecord> records) =>
        records.Select(r => Convert.ToHexStringLower(r.PredictionId.Span));
}
