using MlOps.TestServers;

namespace MlOps.FeatureStore.Tests.Ingestion;

public sealed class WindowTests(FeatureStoreParts<WindowTests> store) : IClassFixture<FeatureStoreParts<WindowTests>>
{
    private const long Window = 50;

    [ServerFact]
    public async Task A_row_counts_from_when_it_is_known_until_the_window_has_passed()
    {
        await store.ApplyAsync(Define.Airport, Define.Window("steps", Window));
        await store.IngestAsync("steps", Parts.Known(
            ("DTW", At(10), At(10), 4), ("DTW", At(20), At(40), 8), ("DTW", At(30), At(90), 100))); // the last is known too late
        var times = new[] { At(10) - 1, At(10), At(40) - 1, At(40), At(60) - 1, At(60), At(70) - 1, At(70), At(500) };
        var joined = await store.JoinAsync([Parts.Rows([.. times.Select(time => ("DTW", time))])], Define.Select("steps"));

        Assert.Equal([0, 1, 1, 2, 2, 1, 1, 0, 0], joined[0].Columns[2].Integers.Values);
        Assert.Equal([double.NaN, 4, 4, 6, 6, 8, 8, double.NaN, double.NaN], joined.DoublesOf("mean"));
        // Before its first change the entity is unknown; afterwards an empty window has a count, of 0.
        Assert.Equal(0b0000_0001, joined[0].Columns[2].Missing[0]);
    }

    [ServerTheory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public async Task It_agrees_with_reading_every_row_however_the_rows_arrive(int seed)
    {
        var view = $"brute_{seed}";
        var random = new Random(seed);
        await store.ApplyAsync(Define.Airport, Define.Window(view, Window), Define.Window(view + "_at_once", Window));
        var rows = Enumerable.Range(0, 300).Select(_ =>
        {
            var at = At(random.Next(400));
            return (Airport: $"A{random.Next(4)}", At: at, Known: at + random.Next(80) * Parts.Second, Value: random.Next(5) == 0 ? double.NaN : random.NextDouble() * 100);
        }).Distinct().ToArray();
        await store.IngestAsync(view + "_at_once", Parts.Known(rows));
        random.Shuffle(rows);
        foreach (var part in rows.Chunk(70))
            await store.IngestAsync(view, Parts.Known(part));

        var wanted = Enumerable.Range(0, 400).Select(_ => (Airport: $"A{random.Next(4)}", At: At(random.Next(520)))).ToArray();
        var joined = await store.JoinAsync([Parts.Rows(wanted)], Define.Select(view), Define.Select(view + "_at_once", "once_"));
        var (counts, means) = (joined[0].Columns[2].Integers.Values, joined.DoublesOf("mean"));
        for (var index = 0; index < wanted.Length; index++)
        {
            var (airport, at) = wanted[index];
            var inside = rows.Where(row => row.Airport == airport && row.At <= at && row.At > at - Window * Parts.Second && row.Known <= at).ToArray();
            Assert.Equal(inside.Length, counts[index]);
            var values = inside.Select(row => row.Value).Where(value => !double.IsNaN(value)).ToArray();
            Assert.Equal(values.Length == 0 ? double.NaN : values.Average(), means[index], 1e-9);
        }

        Assert.Equal(joined[0].Columns[2].Integers.Values, joined[0].Columns[4].Integers.Values);
        Assert.Equal(joined.DoublesOf("mean"), joined.DoublesOf("once_mean")); // to the bit
    }

    [ServerFact]
    public async Task A_row_whose_window_ends_after_the_last_time_there_is_is_quarantined_and_the_rest_is_kept()
    {
        await store.ApplyAsync(Define.Airport, Define.Window("last_days", Window));
        var answer = await store.IngestCsvAsync("last_days", """
            airport,at,known,value
            DTW,9999-12-31T23:59:59Z,2001-01-01,1
            DTW,9999-12-31T23:59:09.999999Z,2001-01-01,2
            DTW,2001-01-01,2001-01-01,3
            DTW,9999-12-31T23:59:10Z,2001-01-01,4
            """);

        Assert.Equal((2, 2), (answer.RowsIngested, answer.RowsQuarantined));
        Assert.Equal(
            ["2: at: the window after this time ends outside the years 1 to 9999", "5: at: the window after this time ends outside the years 1 to 9999"],
            answer.Quarantined.Select(row => $"{row.Line}: {row.Reason}"));
        var joined = await store.JoinAsync([Parts.Rows(("DTW", Parts.Zero))], Define.Select("last_days"));
        Assert.Equal([3], joined.DoublesOf("mean"));
    }

    private static long At(long second) => Parts.Zero + second * Parts.Second;
}
