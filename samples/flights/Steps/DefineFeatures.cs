using System.Globalization;
using System.Text;
using Google.Protobuf;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;

namespace MlOps.Flights.Steps;

/// <summary>Step 1: what an airport is, where it lies and how late its flights left; ingested and materialised.</summary>
internal static class DefineFeatures
{
    public const string FeatureService = "flight_delay";
    private const string Positions = "airport_positions";
    private const string Delays = "airport_delays";
    private static readonly DateTimeOffset Opening = new(2000, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public sealed record Outcome(long Ingested, long Duplicates, long KeysOnline);

    public static async Task<Outcome> RunAsync(
        Platform platform, Progress progress, IReadOnlyList<Flight> flights, string folder, CancellationToken ct)
    {
        var applied = await platform.Features.ApplyAsync(Definitions, Platform.Within(20, ct));
        progress.Line($"applied: {applied.Created.Count} new, {applied.Updated.Count} changed, {applied.Unchanged.Count} as they were");

        var positions = await IngestAsync(platform, Positions, "airports.csv", PositionsCsv(Path.Combine(folder, "airports.csv")), ct);
        progress.Line($"{Positions}: {positions.RowsIngested:N0} rows in, {positions.RowsDuplicate:N0} already there, {positions.RowsQuarantined} quarantined");
        var delays = await IngestAsync(platform, Delays, "flights.csv", DelaysCsv(flights), ct);
        progress.Line($"{Delays}: {delays.RowsIngested:N0} rows in, {delays.RowsDuplicate:N0} already there, {delays.RowsQuarantined} quarantined");

        var endOfFebruary = new DateTimeOffset(2001, 3, 1, 0, 0, 0, TimeSpan.Zero);
        var written = await MaterializeAsync(platform, endOfFebruary, ct);
        progress.Line($"online as of {endOfFebruary:yyyy-MM-dd}: {written:N0} keys");
        return new Outcome(
            positions.RowsIngested + delays.RowsIngested, positions.RowsDuplicate + delays.RowsDuplicate, written);
    }

    /// <summary>
    /// Puts what was known at <paramref name="asOf"/> into the online store, also when a demo before this one had gone
    /// further; answers the number of keys.
    /// </summary>
    public static async Task<long> MaterializeAsync(Platform platform, DateTimeOffset asOf, CancellationToken ct, string? view = null)
    {
        var request = new MaterializeRequest { AsOfMicros = Columns.Micros(asOf), ReplaceNewer = true };
        if (view is not null) request.FeatureViews.Add(view);
        var answer = await platform.Features.MaterializeAsync(request, Platform.Within(60, ct));
        return answer.Views.Sum(v => v.KeysWritten);
    }

    public const string DelaysView = Delays;

    private static ApplyRequest Definitions => new()
    {
        Entities = { new Entity { Name = "airport", JoinKeys = { "airport" }, Description = "An airport by its IATA code" } },
        FeatureViews =
        {
            new FeatureView
            {
                Name = Positions,
                Entity = "airport",
                Schema = { Number("latitude"), Number("longitude") },
                EventTimeColumn = "since",
                Description = "Where the airport lies, in degrees",
            },
            new FeatureView
            {
                Name = Delays,
                Entity = "airport",
                // Two flights may leave in the same minute equally late; their destinations tell them apart.
                Schema = { Text("destination"), Number("delay") },
                EventTimeColumn = "departed_at",
                KnownAtColumn = "known_at",
                Aggregation = new Aggregation
                {
                    WindowSeconds = 24 * 3600,
                    Aggregates =
                    {
                        new Aggregate { Name = "flights_24h", Function = Aggregate.Types.Function.Count },
                        new Aggregate { Name = "mean_delay_24h", Function = Aggregate.Types.Function.Mean, Column = "delay" },
                    },
                },
                Description = "Flights that left the airport in the past 24 hours and their mean delay in minutes, as far as known",
            },
        },
        FeatureServices =
        {
            new FeatureService
            {
                Name = FeatureService,
                Selections =
                {
                    At(Positions, "origin"), At(Positions, "destination"), At(Delays, "origin"), At(Delays, "destination"),
                },
                Description = "Position and delay record of both ends of a flight",
            },
        },
    };

    private static Field Text(string name) => new() { Name = name, Type = ColumnType.Text };

    private static Field Number(string name) => new() { Name = name, Type = ColumnType.Double };

    private static FeatureSelection At(string view, string end) => new()
    {
        FeatureView = view,
        EntityColumns = { ["airport"] = end },
        Prefix = $"{end}_",
    };

    private static async Task<IngestResponse> IngestAsync(
        Platform platform, string view, string source, string csv, CancellationToken ct)
    {
        const int ChunkSize = 64 * 1024;
        using var call = platform.Features.Ingest(Platform.Within(120, ct));
        await call.RequestStream.WriteAsync(
            new IngestRequest { Header = new IngestRequest.Types.Header { FeatureView = view, Source = source } }, ct);
        var bytes = Encoding.UTF8.GetBytes(csv);
        for (var at = 0; at < bytes.Length; at += ChunkSize)
        {
            var chunk = ByteString.CopyFrom(bytes.AsSpan(at, Math.Min(ChunkSize, bytes.Length - at)));
            await call.RequestStream.WriteAsync(new IngestRequest { Csv = chunk }, ct);
        }

        await call.RequestStream.CompleteAsync();
        return await call;
    }

    // iata,name,city,state,country,latitude,longitude: names may be quoted, so the position is counted from the end.
    private static string PositionsCsv(string file)
    {
        var csv = new StringBuilder("airport,since,latitude,longitude\n");
        foreach (var line in File.ReadLines(file).Skip(1).Where(l => l.Length > 0))
        {
            var cells = line.Split(',');
            csv.Append(CultureInfo.InvariantCulture, $"{cells[0]},{Opening:O},{cells[^2]},{cells[^1]}\n");
        }

        return csv.ToString();
    }

    private static string DelaysCsv(IEnumerable<Flight> flights)
    {
        var csv = new StringBuilder("airport,departed_at,known_at,destination,delay\n");
        foreach (var f in flights)
        {
            csv.Append(CultureInfo.InvariantCulture, $"{f.Origin},{f.DepartedAt:O},{f.KnownAt:O},{f.Destination},{f.Delay:R}\n");
        }

        return csv.ToString();
    }
}
