using System.Text;
using Google.Protobuf;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;

namespace MlOps.FeatureStore.Tests;

/// <summary>Messages and tables as a client would send them.</summary>
internal static class Parts
{
    public const long Second = 1_000_000;

    /// <summary>2001-01-01T00:00:00Z in microseconds: zero of the tests' times.</summary>
    public const long Zero = 978_307_200 * Second;

    public static Column Texts(string name, params string[] values) =>
        new() { Name = name, Texts = new() { Values = { values } } };

    public static Column Times(string name, params long[] values) =>
        new() { Name = name, Times = new() { Values = { values } } };

    public static Column Doubles(string name, params double[] values) =>
        new() { Name = name, Doubles = new() { Values = { values } } };

    public static Column Integers(string name, params long[] values) =>
        new() { Name = name, Integers = new() { Values = { values } } };

    public static Table Table(params Column[] columns) => new() { Columns = { columns } };

    /// <summary>Entity rows of one airport each at a time.</summary>
    public static Table Rows(params (string Airport, long At)[] rows) => Table(
        Texts("airport", [.. rows.Select(row => row.Airport)]), Times("at", [.. rows.Select(row => row.At)]));

    /// <summary>Rows of <see cref="Define.View"/> without known-at times.</summary>
    public static Table Values(params (string Airport, long At, double Value)[] rows) => Table(
        Texts("airport", [.. rows.Select(row => row.Airport)]),
        Times("at", [.. rows.Select(row => row.At)]),
        Doubles("value", [.. rows.Select(row => row.Value)]));

    /// <summary>Rows of <see cref="Define.View"/> with known-at times.</summary>
    public static Table Known(params (string Airport, long At, long Known, double Value)[] rows) => Table(
        Texts("airport", [.. rows.Select(row => row.Airport)]),
        Times("at", [.. rows.Select(row => row.At)]),
        Times("known", [.. rows.Select(row => row.Known)]),
        Doubles("value", [.. rows.Select(row => row.Value)]));

    public static async IAsyncEnumerable<T> Stream<T>(IEnumerable<T> items)
    {
        foreach (var item in items)
        {
            await Task.Yield();
            yield return item;
        }
    }

    public static IAsyncEnumerable<IngestRequest> Tables(string view, string source, params Table[] tables) => Stream(
        tables.Select(table => new IngestRequest { Table = table }).Prepend(Header(view, source)));

    public static IAsyncEnumerable<IngestRequest> Csv(string view, string source, string csv, int chunk) => Stream(
        Encoding.UTF8.GetBytes(csv).Chunk(chunk)
            .Select(bytes => new IngestRequest { Csv = ByteString.CopyFrom(bytes) }).Prepend(Header(view, source)));

    /// <summary>The values of a column of doubles, missing ones as NaN.</summary>
    public static double[] DoublesOf(this IEnumerable<Table> tables, string name) =>
        [.. tables.SelectMany(table => table.Columns.Single(column => column.Name == name).Doubles.Values)];

    private static IngestRequest Header(string view, string source) => new() { Header = new() { FeatureView = view, Source = source } };
}
