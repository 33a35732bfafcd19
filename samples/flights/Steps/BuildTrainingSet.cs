using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;

namespace MlOps.Flights.Steps;

/// <summary>Step 2: January and February's flights with their features as known at departure, snapshotted.</summary>
internal static class BuildTrainingSet
{
    public const string TimeColumn = "departed_at";
    public const string LabelColumn = "delay";

    public static async Task<DatasetSnapshot> RunAsync(
        Platform platform, Progress progress, IReadOnlyList<Flight> flights, CancellationToken ct)
    {
        using var call = platform.Features.CreateSnapshot(Platform.Within(120, ct));
        await call.RequestStream.WriteAsync(
            new CreateSnapshotRequest
            {
                Header = new CreateSnapshotRequest.Types.Header
                {
                    Name = "flights-2001-jan-feb",
                    Join = new HistoricalHeader { FeatureService = DefineFeatures.FeatureService, EventTimeColumn = TimeColumn },
                },
            },
            ct);
        foreach (var chunk in flights.Chunk(4_096))
        {
            await call.RequestStream.WriteAsync(new CreateSnapshotRequest { Rows = Rows(chunk, withLabel: true) }, ct);
        }

        await call.RequestStream.CompleteAsync();
        var snapshot = await call;
        DemoException.Unless(
            snapshot.RowCount == flights.Count, $"expected {flights.Count} rows in the snapshot, got {snapshot.RowCount}");
        progress.Line($"{snapshot.RowCount:N0} rows × {snapshot.Schema.Count} columns, {snapshot.SizeBytes / 1024.0:N0} KiB");
        progress.Line($"digest {snapshot.Digest}");
        return snapshot;
    }

    /// <summary>What is known of flights when they depart, and their delay if asked for.</summary>
    public static Table Rows(IReadOnlyCollection<Flight> flights, bool withLabel)
    {
        var table = new Table
        {
            Columns =
            {
                Columns.Texts("origin", flights.Select(f => f.Origin)),
                Columns.Texts("destination", flights.Select(f => f.Destination)),
                Columns.Doubles("distance", flights.Select(f => f.Distance)),
                Columns.Doubles("departure_hour", flights.Select(f => f.DepartureHour)),
                Columns.Doubles("departure_weekday", flights.Select(f => f.DepartureWeekday)),
                Columns.Times(TimeColumn, flights.Select(f => f.DepartedAt)),
            },
        };
        if (withLabel) table.Columns.Add(Columns.Doubles(LabelColumn, flights.Select(f => f.Delay)));
        return table;
    }
}
