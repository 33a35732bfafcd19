using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.FeatureStore.Tests.Ingestion;

public sealed class IngestTests(FeatureStoreParts<IngestTests> store) : IClassFixture<FeatureStoreParts<IngestTests>>
{
    [ServerFact]
    public async Task Malformed_lines_are_quarantined_with_line_and_reason_and_the_rest_is_kept()
    {
        await store.ApplyAsync(Define.Airport, Define.View("lines", fields:
            [Define.Double("value"), Define.Field("count", ColumnType.Integer), Define.Field("open", ColumnType.Boolean), Define.Field("city", ColumnType.Text)]));
        const string Csv = """
            city,airport,at,value,count,open,extra
            Detroit,DTW,2001-01-01T00:00Z,1.5,1,true,x
            "Las Vegas, NV",LAS,2001-01-01T00:00Z,,,,
            Detroit,DTW,2001-01-01T00:01Z,1.5,1,true
            Detroit,DTW,2001-01-01T00:02Z,fast,1,true,x
            Detroit,DTW,tomorrow,1.5,1,true,x
            Detroit,,2001-01-01T00:04Z,1.5,1,true,x
            Detroit,DTW,2001-01-01T00:05Z,Infinity,1,true,x
            Detroit,DTW,2001-01-01T00:06Z,1.5,1.5,true,x
            Detroit,DTW,2001-01-01T00:07Z,1.5,1,maybe,x
            Det"roit,DTW,2001-01-01T00:08Z,1.5,1,true,x
            Detroit,DTW,,1.5,1,true,x
            "",DTW,2001-01-01T00:09Z,1e3,-9,0,x
            """;
        var answer = await store.IngestCsvAsync("lines", Csv);

        Assert.Equal((3, 0, 9), (answer.RowsIngested, answer.RowsDuplicate, answer.RowsQuarantined));
        Assert.Equal(
            [
                "4: line has 6 fields where the header has 7", "5: value: is not a number", "6: at: is not an ISO 8601 time",
                "7: airport: key is empty", "8: value: is not a finite number", "9: count: is not a whole number of 64 bits",
                "10: open: is neither true nor false", "11: a quote inside a field that does not start with one", "12: at: time is missing",
            ],
            answer.Quarantined.Select(row => $"{row.Line}: {row.Reason}"));
        Assert.Equal("Detroit,DTW,2001-01-01T00:02Z,fast,1,true,x", answer.Quarantined[1].Content);
    }

    [ServerFact]
    public async Task A_second_identical_ingest_adds_nothing_and_quarantines_nothing_twice()
    {
        await store.ApplyAsync(Define.Airport, Define.View("again"));
        const string Csv = "airport,at,value\nDTW,2001-01-01,1\nDTW,2001-01-01,2\nDTW,2001-01-01,x\nDTW,2001-01-01,1\n";
        var first = await store.IngestCsvAsync("again", Csv);
        Assert.Equal((2, 1, 1), (first.RowsIngested, first.RowsDuplicate, first.RowsQuarantined));

        var second = await store.IngestCsvAsync("again", Csv, chunk: 64);
        Assert.Equal((0, 3, 1), (second.RowsIngested, second.RowsDuplicate, second.RowsQuarantined));
        Assert.Single((await store.Quarantine.ListAsync(new() { FeatureView = "again" }, default)).Rows);
    }

    [ServerFact]
    public async Task Quarantine_is_listed_newest_first_with_content_cut()
    {
        await store.ApplyAsync(Define.Airport, Define.View("long_lines"));
        await store.IngestCsvAsync("long_lines", $"airport,at,value\nDTW,2001-01-01,{new string('9', 2_000)}x\nLAS,2001-01-01,y\n", chunk: 500);
        var rows = (await store.Quarantine.ListAsync(new() { FeatureView = "long_lines" }, default)).Rows;
        Assert.Equal([3, 2], rows.Select(row => row.Line));
        Assert.Equal(1_000, rows[1].Content.Length);
        Assert.Single((await store.Quarantine.ListAsync(new() { FeatureView = "long_lines", Limit = 1 }, default)).Rows);
        await Assert.ThrowsAsync<InvalidRequestException>(() => store.Quarantine.ListAsync(new() { FeatureView = "long_lines", Limit = 1_001 }, default));
    }

    [ServerFact]
    public async Task A_header_without_a_needed_column_is_refused_with_every_missing_name()
    {
        await store.ApplyAsync(Define.Airport, Define.View("headed", known: true));
        var failure = await Assert.ThrowsAsync<InvalidRequestException>(() => store.IngestCsvAsync("headed", "airport,when\nDTW,2001-01-01\n"));
        Assert.Equal("CSV_HEADER", failure.Code);
        Assert.Equal(["at", "known", "value"], failure.Violations.Select(violation => violation.Field));
        await Assert.ThrowsAsync<InvalidRequestException>(() => store.IngestCsvAsync("headed", "\n\r\n"));
        Assert.Equal(0, (await store.IngestCsvAsync("headed", "airport,at,known,value\r\n")).RowsIngested);
    }

    [ServerFact]
    public async Task Table_rows_obey_the_same_rules()
    {
        await store.ApplyAsync(Define.Airport, Define.View("tabled"));
        var table = Parts.Values(("DTW", Parts.Zero, 1), ("", Parts.Zero, 1), ("DTW", Parts.Zero, double.PositiveInfinity), ("DTW", long.MaxValue, 1), ("LAS", Parts.Zero, double.NaN));
        var answer = await store.IngestAsync("tabled", table, table);
        Assert.Equal((2, 2, 6), (answer.RowsIngested, answer.RowsDuplicate, answer.RowsQuarantined));
        Assert.Equal(
            ["2: airport: key is empty", "3: value: is not a finite number", "4: at: time lies outside the years 1 to 9999", "7: airport: key is empty"],
            answer.Quarantined.Take(4).Select(row => $"{row.Line}: {row.Reason}"));
        Assert.Contains("airport=DTW", answer.Quarantined[1].Content, StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task A_malformed_stream_or_table_is_refused_as_a_whole()
    {
        await store.ApplyAsync(Define.Airport, Define.View("refused"));
        var good = Parts.Values(("DTW", Parts.Zero, 1));
        await FailsAsync("TABLE_COLUMNS", good, Parts.Table(Parts.Texts("airport", "DTW"), Parts.Texts("at", "x")));
        await FailsAsync("TABLE_MALFORMED", good, Parts.Table(Parts.Texts("airport", "DTW", "LAS"), Parts.Times("at", 1), Parts.Doubles("value", 1)));
        var mixed = Parts.Stream<IngestRequest>(
            [new() { Header = new() { FeatureView = "refused" } }, new() { Table = good }, new() { Csv = Google.Protobuf.ByteString.CopyFromUtf8("airport") }]);
        Assert.Equal("INGEST_STREAM", (await Assert.ThrowsAsync<InvalidRequestException>(() => store.Ingest.ExecuteAsync(mixed, default))).Code);
        var headless = Parts.Stream<IngestRequest>([new() { Table = good }]);
        Assert.Equal("INGEST_STREAM", (await Assert.ThrowsAsync<InvalidRequestException>(() => store.Ingest.ExecuteAsync(headless, default))).Code);

        Assert.Equal(1, (await store.IngestAsync("refused", good)).RowsIngested);

        async Task FailsAsync(string code, params Table[] tables) =>
            Assert.Equal(code, (await Assert.ThrowsAsync<InvalidRequestException>(() => store.IngestAsync("refused", tables))).Code);
    }

    [ServerFact]
    public async Task Concurrent_streams_of_the_same_rows_store_each_once()
    {
        await store.ApplyAsync(Define.Airport, Define.View("crowded"), Define.Window("crowded_window", 100));
        var random = new Random(5);
        var rows = Enumerable.Range(0, 500).Select(number => ($"A{number % 7}", Parts.Zero + number * Parts.Second, Parts.Zero + number * Parts.Second, (double)number)).ToArray();
        foreach (var view in new[] { "crowded", "crowded_window" })
        {
            var streams = Enumerable.Range(0, 4).Select(_ =>
            {
                var order = rows.ToArray();
                random.Shuffle(order);
                return view == "crowded"
                    ? store.IngestAsync(view, Parts.Values([.. order.Select(row => (row.Item1, row.Item2, row.Item4))]))
                    : store.IngestAsync(view, Parts.Known(order));
            }).ToArray();
            var answers = await Task.WhenAll(streams);
            Assert.Equal((500, 1_500), (answers.Sum(answer => answer.RowsIngested), answers.Sum(answer => answer.RowsDuplicate)));
        }
    }
}
