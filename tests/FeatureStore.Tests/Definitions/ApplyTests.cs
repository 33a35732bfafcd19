using MlOps.Contracts.Tables.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.FeatureStore.Tests.Definitions;

public sealed class ApplyTests(FeatureStoreParts<ApplyTests> store) : IClassFixture<FeatureStoreParts<ApplyTests>>
{
    [ServerFact]
    public async Task Applying_the_same_again_changes_nothing()
    {
        object[] definitions =
        [
            Define.Entity("twice", "airport"), Define.View("twice_view", entity: "twice"),
            Define.Service("twice_service", Define.Select("twice_view", "o_", "origin")),
        ];
        var first = await store.ApplyAsync(definitions);
        Assert.Equal(["twice", "twice_view", "twice_service"], first.Created);

        var second = await store.ApplyAsync(definitions);
        Assert.Equal(["twice", "twice_view", "twice_service"], second.Unchanged);
        Assert.Empty(second.Created);
        Assert.Empty(second.Updated);
    }

    [ServerFact]
    public async Task Every_violation_is_reported_and_nothing_is_kept()
    {
        var broken = Define.View("bad_view", fields: [Define.Double("value"), Define.Double("value"), Define.Double("at"), Define.Double("_x"), new Field { Name = "typeless" }]);
        broken.TtlSeconds = -1;
        var window = Define.Window("bad_window", 0);
        window.Aggregation.Aggregates[1].Column = "nothing";
        var failure = await Assert.ThrowsAsync<InvalidRequestException>(() => store.ApplyAsync(
            Define.Airport, Define.Entity("Bad Name"), broken, window, Define.View("bad_entity", entity: "nobody"), Define.View("good_view"),
            Define.Service("bad_service", Define.Select("good_view", features: "nothing"), Define.Select("nowhere"))));

        Assert.Equal("DEFINITIONS_INVALID", failure.Code);
        foreach (var (field, rule) in new[]
        {
            ("entities.Bad Name", "a-z"), ("entities.Bad Name.join_keys", "1 to 8"), ("feature_views.bad_view.schema.value", "another column"),
            ("feature_views.bad_view.schema.at", "another column"), ("feature_views.bad_view.schema._x", "starting with a letter"),
            ("feature_views.bad_view.schema.typeless", "a type"), ("feature_views.bad_view.ttl_seconds", "0 to"),
            ("feature_views.bad_window.aggregation.window_seconds", "1 to"), ("feature_views.bad_window.aggregation.aggregates.mean.column", "DOUBLE or INTEGER"),
            ("feature_views.bad_entity.entity", "nobody"), ("feature_services.bad_service.selections[0].features", "'nothing'"),
            ("feature_services.bad_service.selections[1].feature_view", "'nowhere'"),
        })
            Assert.Contains(failure.Violations, violation => violation.Field == field && violation.Rule.Contains(rule, StringComparison.Ordinal));
        Assert.False((await store.Catalog.RefreshAsync(default)).Views.ContainsKey("good_view"));
    }

    [ServerFact]
    public async Task A_view_with_rows_keeps_its_shape_but_not_its_ttl()
    {
        await store.ApplyAsync(Define.Airport, Define.View("shaped"), Define.Window("shaped_window", 60));
        await store.IngestAsync("shaped", Parts.Values(("DTW", Parts.Zero, 1)));
        await store.IngestAsync("shaped_window", Parts.Known(("DTW", Parts.Zero, Parts.Zero, 1)));

        var changed = Define.View("shaped", fields: [Define.Field("value", ColumnType.Text), Define.Double("more")]);
        changed.EventTimeColumn = "when";
        var failure = await Assert.ThrowsAsync<ConflictException>(() => store.ApplyAsync(changed, Define.Window("shaped_window", 61)));
        Assert.Equal("VIEW_INCOMPATIBLE", failure.Code);
        foreach (var difference in new[] { "event_time_column (at → when)", "type of value (Double → Text)", "more is new", "window_seconds (60 → 61)" })
            Assert.Contains(difference, failure.Message, StringComparison.Ordinal);

        var entity = await Assert.ThrowsAsync<ConflictException>(() => store.ApplyAsync(Define.Entity("airport", "iata")));
        Assert.Contains("join keys (airport → iata)", entity.Message, StringComparison.Ordinal);

        Assert.Equal(["shaped"], (await store.ApplyAsync(Define.View("shaped", ttl: 5))).Updated);
        Assert.Equal(5, (await store.Catalog.ViewAsync("shaped", default)).Definition.TtlSeconds);
    }

    [ServerFact]
    public async Task A_view_without_rows_takes_a_new_shape()
    {
        await store.ApplyAsync(Define.Airport, Define.View("empty"));
        await store.ApplyAsync(Define.View("empty", fields: [Define.Field("name", ColumnType.Text)]));
        var ingested = await store.IngestCsvAsync("empty", "airport,at,name\nDTW,2001-01-01,Detroit\n");
        Assert.Equal(1, ingested.RowsIngested);
    }

    [ServerFact]
    public async Task A_change_that_would_break_a_service_is_refused()
    {
        await store.ApplyAsync(
            Define.Airport, Define.View("used", fields: [Define.Double("a"), Define.Double("b")]),
            Define.Service("user", Define.Select("used", features: "b")));
        var failure = await Assert.ThrowsAsync<InvalidRequestException>(() => store.ApplyAsync(Define.View("used", fields: [Define.Double("a")])));
        Assert.Contains("feature_services.user.selections[0].features", failure.Message, StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task The_longest_names_get_tables_of_their_own()
    {
        var (one, two) = (new string('v', 62) + "1", new string('v', 62) + "2");
        await store.ApplyAsync(Define.Airport, Define.View(one), Define.View(two));
        await store.IngestAsync(one, Parts.Values(("DTW", Parts.Zero, 1)));
        Assert.Equal(1, (await store.IngestAsync(two, Parts.Values(("DTW", Parts.Zero, 1)))).RowsIngested);
    }

    [ServerFact]
    public async Task Two_outputs_of_one_name_are_refused()
    {
        await store.ApplyAsync(Define.Airport, Define.View("named"));
        var failure = await Assert.ThrowsAsync<InvalidRequestException>(() => store.ReadAsync(
            Parts.Table(Parts.Texts("airport", "DTW")), Define.Select("named"), Define.Select("named", airport: "airport")));
        Assert.Equal("SELECTION_INVALID", failure.Code);
        Assert.Contains("'value'", failure.Message, StringComparison.Ordinal);
    }
}
