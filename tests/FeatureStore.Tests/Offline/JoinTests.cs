using Google.Protobuf;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.FeatureStore.Tests.Offline;

public sealed class JoinTests(FeatureStoreParts<JoinTests> store) : IClassFixture<FeatureStoreParts<JoinTests>>
{
    [ServerFact]
    public async Task The_join_takes_the_newest_value_known_at_the_row_s_time()
    {
        await store.ApplyAsync(Define.Airport, Define.View("vectors", ttl: 100, known: true));
        await store.IngestAsync("vectors", Parts.Known(
            ("DTW", At(0), At(0), 1), ("DTW", At(50), At(50), 2), ("DTW", At(50), At(60), 3), ("DTW", At(70), At(200), 4), ("NUL", At(0), At(0), double.NaN)));

        (string, long, double)[] expected =
        [
            ("DTW", At(0) - 1, double.NaN), // before the first
            ("DTW", At(0), 1), // exactly at T
            ("DTW", At(50) - 1, 1), // one microsecond before the next
            ("DTW", At(50), 2), // of two at one time, the one known by then
            ("DTW", At(60) - 1, 2),
            ("DTW", At(60), 3), // then the one known last
            ("DTW", At(150), 3), // exactly T − ttl; the newer value is not known yet
            ("DTW", At(150) + 1, double.NaN), // one microsecond older than the ttl
            ("DTW", At(170), double.NaN), // there is one in time, but known only at 200
            ("DTW", At(200), double.NaN), // known, but too old by now
            ("NUL", At(1), double.NaN), // the value is null
            ("XXX", At(1), double.NaN), // the key is absent
            ("", At(1), double.NaN),
        ];
        var joined = await store.JoinAsync([Parts.Rows([.. expected.Select(row => (row.Item1, row.Item2))])], Define.Select("vectors"));
        Assert.Equal(expected.Select(row => row.Item3), joined.DoublesOf("value"));
    }

    [ServerFact]
    public async Task A_corrected_value_wins_over_the_one_ingested_before_offline_and_online()
    {
        // Nine times, so that an order by content would almost surely get one of them wrong.
        await store.ApplyAsync(Define.Airport, Define.View("corrected"));
        string[] airports = [.. Enumerable.Range(0, 9).Select(number => $"A{number}")];
        foreach (var value in new double[] { 1, 2, 1 }) // at last the first value again, which is already there
            await store.IngestAsync("corrected", Parts.Values([.. airports.Select((airport, number) => (airport, At(0), value + number * 10))]));
        double[] right = [.. airports.Select((_, number) => 2d + number * 10)];

        var joined = await store.JoinAsync([Parts.Rows([.. airports.Select(airport => (airport, At(1)))])], Define.Select("corrected"));
        Assert.Equal(right, joined.DoublesOf("value"));
        await store.MaterializeAsync("corrected");
        var online = await store.ReadAsync(Parts.Table(Parts.Texts("airport", airports)), Define.Select("corrected"));
        Assert.Equal(right, online.Features.Columns[0].Doubles.Values);
    }

    [ServerFact]
    public async Task Tables_made_before_ingestion_was_timed_are_brought_up_to_date()
    {
        await store.ApplyAsync(Define.Airport, Define.View("kept"), Define.Window("kept_window", 100));
        await store.IngestAsync("kept", Parts.Values(("DTW", At(0), 1)));
        await store.IngestAsync("kept_window", Parts.Known(("DTW", At(0), At(0), 1)));
        foreach (var table in new[] { "fv_kept", "fv_kept_window", "fa_kept_window" })
            await store.Database.ExecuteAsync($"alter table {table} drop column _ingested_at", [], default);

        using var migration = new StreamReader(
            typeof(MlOps.FeatureStore.FeatureStoreApp).Assembly.GetManifestResourceStream("MlOps.FeatureStore.Migrations.0002_ingested_at.sql")!); // it is embedded
        await store.Database.ExecuteAsync(await migration.ReadToEndAsync(), [], default);

        await store.IngestAsync("kept", Parts.Values(("DTW", At(0), 3)));
        await store.IngestAsync("kept_window", Parts.Known(("DTW", At(0), At(0), 3)));
        var joined = await store.JoinAsync([Parts.Rows(("DTW", At(1)))], Define.Select("kept"), Define.Select("kept_window"));
        Assert.Equal([3], joined.DoublesOf("value"));
        Assert.Equal([2], joined.DoublesOf("mean")); // both rows count
    }

    [ServerFact]
    public async Task Each_view_has_its_own_ttl_and_each_selection_its_own_key_and_prefix()
    {
        await store.ApplyAsync(Define.Airport, Define.View("short_lived", ttl: 10), Define.View("long_lived", ttl: 1_000), Define.View("for_ever"));
        foreach (var view in new[] { "short_lived", "long_lived", "for_ever" })
            await store.IngestAsync(view, Parts.Values(("DTW", At(0), 1), ("LAS", At(5), 2)));
        var rows = Parts.Table(Parts.Texts("from", "DTW", "LAS"), Parts.Texts("to", "LAS", "DTW"), Parts.Times("at", At(12), At(5_000)), Parts.Integers("id", 7, 8));
        var joined = await store.JoinAsync(
            [rows], Define.Select("short_lived", "f_", "from"), Define.Select("short_lived", "t_", "to"),
            Define.Select("long_lived", "long_", "from"), Define.Select("for_ever", "ever_", "to", "value"));

        Assert.Equal(["from", "to", "at", "id", "f_value", "t_value", "long_value", "ever_value"], joined[0].Columns.Select(column => column.Name));
        Assert.Equal(rows.Columns, joined[0].Columns.Take(4));
        Assert.Equal([double.NaN, double.NaN], joined.DoublesOf("f_value"));
        Assert.Equal([2, double.NaN], joined.DoublesOf("t_value"));
        Assert.Equal([1, double.NaN], joined.DoublesOf("long_value"));
        Assert.Equal([2, 1], joined.DoublesOf("ever_value"));
    }

    [ServerFact]
    public async Task Composite_keys_and_all_types_are_joined()
    {
        var view = Define.View("routes", entity: "route", fields:
        [
            Define.Double("d"), Define.Field("i", ColumnType.Integer), Define.Field("t", ColumnType.Text),
            Define.Field("b", ColumnType.Boolean), Define.Field("m", ColumnType.Time),
        ]);
        await store.ApplyAsync(Define.Entity("route", "carrier", "flight"), view);
        await store.IngestCsvAsync("routes", """
            carrier,flight,at,d,i,t,b,m
            AA,1,2001-01-01,0.5,-7,one,true,2001-02-03T04:05:06.789012Z
            A,A1,2001-01-01,1.5,8,"two, 2",false,1969-01-01
            A,A2,2001-01-01,,,,,
            """);
        var rows = Parts.Table(Parts.Texts("carrier", "AA", "A", "A", "AA1"), Parts.Texts("flight", "1", "A1", "A2", ""), Parts.Times("at", At(0), At(0), At(0), At(0)));
        var table = (await store.JoinAsync([rows], Define.Select("routes")))[0];
        Assert.Equal([0.5, 1.5, double.NaN, double.NaN], table.Columns[3].Doubles.Values);
        Assert.Equal([-7, 8, 0, 0], table.Columns[4].Integers.Values);
        Assert.Equal(["one", "two, 2", "", ""], table.Columns[5].Texts.Values);
        Assert.Equal([true, false, false, false], table.Columns[6].Booleans.Values);
        Assert.Equal([new DateTimeOffset(2001, 2, 3, 4, 5, 6, 789, 12, TimeSpan.Zero), new DateTimeOffset(1969, 1, 1, 0, 0, 0, TimeSpan.Zero)],
            table.Columns[7].Times.Values.Take(2).Select(micros => DateTimeOffset.UnixEpoch.AddMicroseconds(micros)));
        Assert.All(table.Columns.Skip(3), column => Assert.Equal(ByteString.CopyFrom(0b1100), column.Missing));

        // Online, the same.
        await store.MaterializeAsync("routes");
        var online = await store.ReadAsync(rows, Define.Select("routes"));
        Assert.Equal(table.Columns.Skip(3), online.Features.Columns);
        Assert.Equal([FeatureStatus.Present, FeatureStatus.Present, FeatureStatus.NullValue, FeatureStatus.NotFound], online.Statuses[2].Statuses);
    }

    [ServerTheory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    public async Task It_agrees_with_reading_every_row_and_online_agrees_with_it(int seed)
    {
        var random = new Random(seed);
        var (view, ttl) = ($"brute_{seed}", seed % 3 == 0 ? 0 : 40);
        await store.ApplyAsync(Define.Airport, Define.View(view, ttl, known: true));
        var rows = Enumerable.Range(0, 400)
            .Select(number => (Airport: $"A{random.Next(9)}", At: At(random.Next(300)), Known: At(random.Next(350)), Value: (double)number))
            .DistinctBy(row => (row.Airport, row.At, row.Known)).ToArray();
        foreach (var part in rows.Chunk(150))
            await store.IngestAsync(view, Parts.Known(part));

        var wanted = Enumerable.Range(0, 600).Select(_ => (Airport: $"A{random.Next(10)}", At: At(random.Next(400)))).ToArray();
        var joined = await store.JoinAsync(wanted.Chunk(100).Select(part => Parts.Rows(part)), Define.Select(view));
        Assert.Equal(6, joined.Count);
        Assert.Equal(wanted.Select(row => Expected(row.Airport, row.At)), joined.DoublesOf("value"));

        // No skew: what is served at T, of what was known at T, is what a join at T gives.
        var now = At(330);
        await store.MaterializeAsync(view, now, replaceNewer: true);
        var airports = Enumerable.Range(0, 10).Select(number => $"A{number}").ToArray();
        var online = await store.ReadOnlineAt(now).ExecuteAsync(
            new() { Entities = Parts.Table(Parts.Texts("airport", airports)), Selections = { Define.Select(view) } }, default);
        Assert.Equal(airports.Select(airport => Expected(airport, now)), new[] { online.Features }.DoublesOf("value"));

        double Expected(string airport, long at) => rows
            .Where(row => row.Airport == airport && row.At <= at && row.Known <= at && (ttl == 0 || row.At >= at - ttl * Parts.Second))
            .OrderBy(row => (row.At, row.Known)).Select(row => row.Value).LastOrDefault(double.NaN);
    }

    [ServerFact]
    public async Task A_request_that_does_not_fit_is_refused_with_the_column_named()
    {
        await store.ApplyAsync(Define.Airport, Define.View("fitting"));
        var select = Define.Select("fitting");
        await FailsAsync("TABLE_COLUMNS", "airport", select, Parts.Table(Parts.Times("at", 1)));
        await FailsAsync("TABLE_COLUMNS", "at", select, Parts.Table(Parts.Texts("airport", "DTW")));
        await FailsAsync("TABLE_COLUMNS", "value", select, Parts.Values(("DTW", 1, 1)));
        await FailsAsync("SELECTION_INVALID", "'city'", new() { FeatureView = "fitting", EntityColumns = { ["city"] = "x" } }, Parts.Rows(("DTW", 1)));
        await FailsAsync("JOIN_STREAM", "same columns", select, Parts.Rows(("DTW", 1)), Parts.Table(Parts.Times("at", 1), Parts.Texts("airport", "DTW")));
        await FailsAsync("TIME_MISSING", "Row 2", select, Parts.Rows(("DTW", 1), ("DTW", long.MaxValue)));
        Assert.Empty((await store.JoinAsync([Parts.Rows()], select))[0].Columns[2].Doubles.Values);

        async Task FailsAsync(string code, string named, FeatureSelection selection, params Table[] tables)
        {
            var failure = await Assert.ThrowsAsync<InvalidRequestException>(() => store.JoinAsync(tables, selection));
            Assert.Equal(code, failure.Code);
            Assert.Contains(named, failure.Message, StringComparison.Ordinal);
        }
    }

    private static long At(long second) => Parts.Zero + second * Parts.Second;
}
