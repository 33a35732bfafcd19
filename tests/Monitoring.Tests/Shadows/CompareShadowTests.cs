using Grpc.Core;
using MlOps.Contracts.Monitoring.V1;
using MlOps.TestServers;
using static MlOps.Monitoring.Tests.MonitoringFixture;

namespace MlOps.Monitoring.Tests.Shadows;

[Collection(nameof(MonitoringFixture))]
public sealed class CompareShadowTests(MonitoringFixture monitoring)
{
    [ServerFact]
    public async Task Pairs_are_joined_row_by_row_across_months_with_their_labels_and_segments()
    {
        var model = NewModel();
        var live = Enumerable.Range(0, 40).Select(i => Records.Of(
            model, [i, i + 0.5], time: Records.Noon.AddDays(i), inputs: Records.Texts("origin", i % 2 == 0 ? "SEA" : "ATL", "SEA"))).ToArray();
        // The shadow is later than its request, now and then by a month's end.
        var shadows = live.Select((l, i) => ShadowOf(l, [i + 1, i + 2.5], Records.Noon.AddDays(i).AddHours(13), Records.Texts("origin", i % 2 == 0 ? "SEA" : "ATL", "SEA"))).ToArray();
        var failed = ShadowOf(live[0], [], Records.Noon.AddDays(1));
        failed.Failure = "MODEL_FAILED";
        // Beside a request that failed, and so has no prediction in the log.
        var lonely = ShadowOf(Records.Of(model, [1]), [5, 6], Records.Noon);
        await monitoring.LogAsync(model, 162, [.. live, .. shadows, failed, lonely]);
        await monitoring.Client.SubmitLabelsAsync(new() { Labels = { live.Take(10).Select((l, i) => Records.LabelOf(l, 1, i)) } });

        var found = await monitoring.Client.CompareShadowAsync(new() { Model = model, Version = "2", Segment = "origin", Threshold = 20 });

        Assert.Equal((80, 1, 80, 0), (found.Pairs, found.Failures, found.All.Pairs, found.All.Equal));
        Assert.Equal((1.5, 2.0, 10), (found.All.MeanDifference, found.All.MaxAbsoluteDifference, found.All.Labelled));
        Assert.Equal((0.5, 2.5), (found.All.LiveError, found.All.ShadowError));
        // 19 becomes 20, 18.5 and 19.5 become 20.5 and 21.5; nothing falls below.
        Assert.Equal((3, 0), (found.All.FlipsUp, found.All.FlipsDown));
        Assert.Equal(40, found.Latency.Requests);
        Assert.Equal([("SEA", 60), ("ATL", 20)], found.Segments.Select(s => (s.Label, s.Figures.Pairs)));
        Assert.Equal(1, found.Segments[1].Figures.MeanDifference);

        var window = await monitoring.Client.CompareShadowAsync(new()
        {
            Model = model,
            Version = "2",
            FromMicros = Micros.From(Records.Noon.AddDays(10)),
            ToMicros = Micros.From(Records.Noon.AddDays(20)),
        });
        Assert.Equal((20, 0, 0), (window.Pairs, window.Failures, window.Segments.Count));
        Assert.Equal(0, (await monitoring.Client.CompareShadowAsync(new() { Model = model, Version = "1" })).Pairs);
    }

    [ServerFact]
    public async Task What_cannot_be_asked_is_refused()
    {
        await Refusal.OfAsync(
            () => monitoring.Client.CompareShadowAsync(new() { Model = "m", Threshold = double.NaN }).ResponseAsync, StatusCode.InvalidArgument, "SHADOW_INVALID");
        await Refusal.OfAsync(
            () => monitoring.Client.CompareShadowAsync(new() { Model = NewModel(), Version = "1" }).ResponseAsync, StatusCode.NotFound, "MODEL_UNKNOWN");
    }

    private static PredictionRecord ShadowOf(PredictionRecord live, double[] predictions, DateTimeOffset time, params Contracts.Tables.V1.Column[] inputs)
    {
        var shadow = Records.Of(live.Model, predictions, "2", time: time, inputs: inputs);
        shadow.ShadowOf = live.PredictionId;
        return shadow;
    }
}
