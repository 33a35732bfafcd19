using System.Collections.Concurrent;
using System.Diagnostics;
using Grpc.Core;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.FeatureStore.Online;
using MlOps.ServiceDefaults;
using MlOps.TestServers;
using StackExchange.Redis;

namespace MlOps.FeatureStore.Tests.Online;

public sealed class OnlineTests(FeatureStoreParts<OnlineTests> store) : IClassFixture<FeatureStoreParts<OnlineTests>>
{
    [ServerFact]
    public async Task Statuses_tell_present_null_unknown_and_too_old_apart()
    {
        var now = Now;
        await store.ApplyAsync(Define.Airport, Define.View("aging", ttl: 60), Define.View("ageless"));
        foreach (var view in new[] { "aging", "ageless" })
            await store.IngestAsync(view, Parts.Values(
                ("NEW", now, 1), ("EDGE", now - 60 * Parts.Second, 2), ("OLD", now - 60 * Parts.Second - 1, 3), ("NUL", now, double.NaN)));
        await store.MaterializeAsync("aging");
        await store.MaterializeAsync("ageless");

        var entities = Parts.Table(Parts.Texts("airport", "NEW", "EDGE", "OLD", "NUL", "XXX", ""));
        var answer = await store.ReadAsync(entities, Define.Select("aging"), Define.Select("ageless", "ever_"));
        Assert.Equal([1, 2, double.NaN, double.NaN, double.NaN, double.NaN], answer.Features.Columns[0].Doubles.Values);
        Assert.Equal(
            [
                FeatureStatus.Present, FeatureStatus.Present, FeatureStatus.OutsideMaxAge,
                FeatureStatus.NullValue, FeatureStatus.NotFound, FeatureStatus.NotFound,
            ],
            answer.Statuses[0].Statuses);
        Assert.Equal([now, now - 60 * Parts.Second, now - 60 * Parts.Second - 1, now, 0, 0], answer.Statuses[0].EventTimeMicros);
        Assert.Equal([1, 2, 3, double.NaN, double.NaN, double.NaN], answer.Features.Columns[1].Doubles.Values);
        Assert.Equal(0b11_1000, answer.Features.Columns[1].Missing[0]);
    }

    [ServerFact]
    public async Task A_store_that_lost_everything_is_healed_by_materializing_again()
    {
        await store.ApplyAsync(Define.Airport, Define.View("lost"));
        await store.IngestAsync("lost", Parts.Values([.. Enumerable.Range(0, 1_234).Select(number => ($"A{number}", Parts.Zero, (double)number))]));
        Assert.Equal(1_234, (await store.MaterializeAsync("lost")).Views.Single().KeysWritten);
        var entities = Parts.Table(Parts.Texts("airport", [.. Enumerable.Range(0, 1_234).Select(number => $"A{number}")]));
        var before = await store.ReadAsync(entities, Define.Select("lost"));
        Assert.All(before.Statuses[0].Statuses, status => Assert.Equal(FeatureStatus.Present, status));

        await store.Redis.ExecuteAsync("FLUSHDB");
        await store.Redis.ExecuteAsync("SCRIPT", "FLUSH");
        var wiped = await store.ReadAsync(entities, Define.Select("lost"));
        Assert.All(wiped.Statuses[0].Statuses, status => Assert.Equal(FeatureStatus.NotFound, status));

        Assert.Equal(1_234, (await store.MaterializeAsync("lost")).Views.Single().KeysWritten);
        Assert.Equal(before, await store.ReadAsync(entities, Define.Select("lost")));
    }

    [ServerFact]
    public async Task An_older_materialization_never_replaces_a_newer_one_unless_told_to()
    {
        await store.ApplyAsync(Define.Airport, Define.View("ordered"));
        await store.IngestAsync("ordered", Parts.Values(("DTW", Parts.Zero, 1), ("DTW", Parts.Zero + 10, 2), ("LAS", Parts.Zero, 3)));
        await store.MaterializeAsync("ordered", Parts.Zero + 10);
        Assert.Equal(0, (await store.MaterializeAsync("ordered", Parts.Zero + 9)).Views.Single().KeysWritten);
        Assert.Equal([2, 3], await ValuesAsync());

        // As of the same time again: a correction that came in meanwhile shows.
        await store.IngestAsync("ordered", Parts.Values(("LAS", Parts.Zero + 5, 4)));
        Assert.Equal(2, (await store.MaterializeAsync("ordered", Parts.Zero + 10)).Views.Single().KeysWritten);
        Assert.Equal([2, 4], await ValuesAsync());

        Assert.Equal(2, (await store.MaterializeAsync("ordered", Parts.Zero, replaceNewer: true)).Views.Single().KeysWritten);
        Assert.Equal([1, 3], await ValuesAsync());

        async Task<IEnumerable<double>> ValuesAsync() => (await store.ReadAsync(
            Parts.Table(Parts.Texts("airport", "DTW", "LAS")), Define.Select("ordered"))).Features.Columns[0].Doubles.Values;
    }

    [ServerFact]
    public async Task Replaying_the_past_removes_the_keys_of_entities_that_had_no_value_yet()
    {
        await store.ApplyAsync(Define.Airport, Define.View("replayed", known: true));
        await store.IngestAsync("replayed", Parts.Known(
            ("DTW", Parts.Zero, Parts.Zero, 1), ("LAS", Parts.Zero + 10, Parts.Zero + 10, 2), ("ORD", Parts.Zero, Parts.Zero + 10, 3)));
        var later = (await store.MaterializeAsync("replayed", Parts.Zero + 10)).Views.Single();
        Assert.Equal((3, 0), (later.KeysWritten, later.KeysRemoved));
        await store.IngestAsync("replayed", Parts.Known(("SEA", Parts.Zero + 20, Parts.Zero + 20, 4))); // has no key to remove

        var kept = (await store.MaterializeAsync("replayed", Parts.Zero + 9)).Views.Single();
        Assert.Equal((0, 0), (kept.KeysWritten, kept.KeysRemoved));
        Assert.Equal([1, 2, 3, double.NaN], await ValuesAsync());

        var replayed = (await store.MaterializeAsync("replayed", Parts.Zero + 9, replaceNewer: true)).Views.Single();
        Assert.Equal((1, 2), (replayed.KeysWritten, replayed.KeysRemoved));
        Assert.Equal([1, double.NaN, double.NaN, double.NaN], await ValuesAsync());

        async Task<IEnumerable<double>> ValuesAsync() => (await store.ReadAsync(
            Parts.Table(Parts.Texts("airport", "DTW", "LAS", "ORD", "SEA")), Define.Select("replayed"))).Features.Columns[0].Doubles.Values;
    }

    [ServerFact]
    public async Task Only_what_was_known_at_the_time_is_materialized_and_never_the_future()
    {
        await store.ApplyAsync(Define.Airport, Define.View("known_online", known: true));
        await store.IngestAsync("known_online", Parts.Known(("DTW", Parts.Zero, Parts.Zero, 1), ("DTW", Parts.Zero + 1, Parts.Zero + 100, 2)));
        await store.MaterializeAsync("known_online", Parts.Zero + 99);
        var entities = Parts.Table(Parts.Texts("airport", "DTW"));
        Assert.Equal([1], (await store.ReadAsync(entities, Define.Select("known_online"))).Features.Columns[0].Doubles.Values);
        await store.MaterializeAsync("known_online", Parts.Zero + 100);
        Assert.Equal([2], (await store.ReadAsync(entities, Define.Select("known_online"))).Features.Columns[0].Doubles.Values);

        var failure = await Assert.ThrowsAsync<InvalidRequestException>(() => store.MaterializeAsync("known_online", Now + 1));
        Assert.Equal("AS_OF_INVALID", failure.Code);
    }

    [ServerFact]
    public async Task Every_key_has_a_time_to_live_and_names_view_and_entity()
    {
        await store.ApplyAsync(Define.Entity("pair", "a", "b"), Define.View("mortal", ttl: 90 * 24 * 3600, entity: "pair"));
        await store.IngestCsvAsync("mortal", "a,b,at,value\nx:1,Zürich,2001-05-01,1\n");
        await store.MaterializeAsync("mortal");
        var view = await store.Catalog.ViewAsync("mortal", default);
        var key = (RedisKey)$"mlops:v1:mortal:{view.Fingerprint}:3:x:1:7:Zürich";
        var left = await store.Redis.KeyTimeToLiveAsync(key);
        Assert.InRange(left ?? TimeSpan.Zero, TimeSpan.FromDays(90), TimeSpan.FromDays(91));
    }

    [ServerFact]
    public async Task Values_of_another_shape_of_the_view_are_not_found_rather_than_misread()
    {
        await store.ApplyAsync(Define.Airport, Define.View("reshaped"));
        var before = await store.Catalog.ViewAsync("reshaped", default);
        await store.OnlineStore.WriteAsync(
            [OnlineKey.Of(System.Text.Encoding.UTF8.GetBytes($"mlops:v1:reshaped:{before.Fingerprint}"), ["DTW"])],
            [new byte[] { OnlineValue.Version, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8 }],
            TimeSpan.FromMinutes(1), false, default);
        var entities = Parts.Table(Parts.Texts("airport", "DTW"));
        Assert.Equal(FeatureStatus.Present, (await store.ReadAsync(entities, Define.Select("reshaped"))).Statuses[0].Statuses[0]);

        await store.ApplyAsync(Define.View("reshaped", fields: [Define.Field("value", ColumnType.Text)]));
        Assert.Equal(FeatureStatus.NotFound, (await store.ReadAsync(entities, Define.Select("reshaped"))).Statuses[0].Statuses[0]);
    }

    [ServerFact]
    public async Task A_materialization_leaves_its_event_in_the_outbox()
    {
        await store.ApplyAsync(Define.Airport, Define.View("told"));
        await store.IngestAsync("told", Parts.Values(("DTW", Parts.Zero, 1)));
        await store.MaterializeAsync("told", Parts.Zero + 5);
        var events = await store.Database.QueryAsync(
            "select body->>'FeatureView', body->>'KeysWritten' from outbox where type like '%FeaturesMaterialized%' and body->>'FeatureView' = 'told'",
            [], row => (row.GetString(0), row.GetString(1)), default);
        Assert.Equal([("told", "1")], events);
    }

    [ServerFact]
    public async Task Definitions_of_another_replica_show_when_they_are_asked_for()
    {
        await store.ApplyAsync(Define.Airport);
        await store.Catalog.RefreshAsync(default);
        using var replica = new FeatureStore.Definitions.DefinitionCatalog(store.Database);
        await replica.GetAsync(default);
        await store.ApplyAsync(Define.View("elsewhere"), Define.Service("elsewhere_service", Define.Select("elsewhere")));
        Assert.Equal("elsewhere", (await replica.ViewAsync("elsewhere", default)).Name);
        Assert.Single((await replica.PlanAsync("elsewhere_service", [], default)).Selections);
    }

    [ServerFact]
    public async Task A_read_of_nothing_or_of_too_much_is_refused()
    {
        await store.ApplyAsync(Define.Airport, Define.View("bounded"));
        foreach (var rows in new[] { 0, 20_001 })
        {
            var failure = await Assert.ThrowsAsync<InvalidRequestException>(() => store.ReadAsync(
                Parts.Table(Parts.Texts("airport", [.. Enumerable.Repeat("DTW", rows)])), Define.Select("bounded")));
            Assert.Equal("ENTITIES_INVALID", failure.Code);
        }
    }

    [ServerFact]
    public async Task One_read_of_many_views_and_rows_is_one_span_to_redis()
    {
        await store.ApplyAsync(Define.Airport, Define.View("traced"));
        using var parent = new Activity("test").Start();
        var spans = new ConcurrentQueue<Activity>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "MlOps.FeatureStore",
            Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
            ActivityStopped = spans.Enqueue,
        };
        ActivitySource.AddActivityListener(listener);
        await store.ReadAsync(Parts.Table(Parts.Texts("airport", "DTW", "LAS")), Define.Select("traced", "a_"), Define.Select("traced", "b_"));

        var span = Assert.Single(spans, span => span.TraceId == parent.TraceId);
        Assert.Equal(("redis MGET", ActivityKind.Client), (span.DisplayName, span.Kind));
        Assert.Equal(("redis", "MGET"), (span.GetTagItem("db.system.name"), span.GetTagItem("db.operation.name")));
    }

    [ServerFact]
    public async Task A_redis_that_does_not_answer_in_time_makes_the_read_unavailable()
    {
        await store.ApplyAsync(Define.Airport, Define.View("hung"));
        // Holds its breath for everyone, for about half a second; the read gives up long before.
        var options = Microsoft.Extensions.Options.Options.Create(new OnlineOptions { Timeout = TimeSpan.FromMilliseconds(1) });
        var script = store.Redis.ScriptEvaluateAsync("local t = 0 for i = 1, 40000000 do t = t + i end return t");
        var failure = await Assert.ThrowsAsync<RpcException>(() => new ReadOnlineFeatures(
            store.Catalog, new(store.Redis.Multiplexer, options), new(options), store.Clock, options).ExecuteAsync(
            new() { Entities = Parts.Table(Parts.Texts("airport", "DTW")), Selections = { Define.Select("hung") } }, default));
        Assert.Equal((StatusCode.Unavailable, "ONLINE_STORE_UNAVAILABLE"), (failure.StatusCode, failure.Trailers.GetValue("mlops-code")));
        await script;
    }

    private long Now => (store.Clock.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;
}
