using System.Diagnostics;
using System.Diagnostics.Metrics;
using MlOps.Contracts.Features.V1;

namespace MlOps.FeatureStore;

/// <summary>The service's traces and measurements.</summary>
internal static class FeatureStoreTelemetry
{
    private const string Name = "MlOps.FeatureStore";

    private static readonly ActivitySource Activities = new(Name);
    private static readonly Meter Meter = new(Name);

    private static readonly Counter<long> IngestedRows = Meter.CreateCounter<long>(
        "mlops.features.ingested_rows", "{row}", "Rows received, by what became of them");

    private static readonly Counter<long> JoinedRows = Meter.CreateCounter<long>(
        "mlops.features.joined_rows", "{row}", "Entity rows answered by point-in-time joins");

    private static readonly Histogram<double> JoinDuration = Meter.CreateHistogram<double>(
        "mlops.features.join.duration", "s", "Time to join one table of entity rows");

    private static readonly Counter<long> MaterializedKeys = Meter.CreateCounter<long>(
        "mlops.features.materialized_keys", "{key}", "Keys written to the online store");

    private static readonly Counter<long> OnlineRows = Meter.CreateCounter<long>(
        "mlops.features.online.rows", "{row}", "Vectors read from the online store");

    private static readonly Histogram<double> OnlineDuration = Meter.CreateHistogram<double>(
        "mlops.features.online.duration", "s", "Time to read vectors from the online store");

    private static readonly Counter<long> OnlineMisses = Meter.CreateCounter<long>(
        "mlops.features.online.misses", "{value}", "Values that an online read did not find or found too old");

    public static long Start() => Stopwatch.GetTimestamp();

    public static void Ingested(string view, IngestResponse response)
    {
        Count("stored", response.RowsIngested);
        Count("duplicate", response.RowsDuplicate);
        Count("quarantined", response.RowsQuarantined);

        void Count(string outcome, long rows) =>
            IngestedRows.Add(rows, new("feature_view", view), new KeyValuePair<string, object?>("outcome", outcome));
    }

    public static void Joined(int rows, long started)
    {
        JoinedRows.Add(rows);
        JoinDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    public static void Materialized(string view, long keys) =>
        MaterializedKeys.Add(keys, new KeyValuePair<string, object?>("feature_view", view));

    public static void ReadOnline(int rows, int misses, long started)
    {
        OnlineRows.Add(rows);
        OnlineMisses.Add(misses);
        OnlineDuration.Record(Stopwatch.GetElapsedTime(started).TotalSeconds);
    }

    /// <summary>The client span of one Redis call, which has no instrumentation of its own.</summary>
    public static Activity? StartRedis(string operation)
    {
        var activity = Activities.StartActivity("redis " + operation, ActivityKind.Client);
        activity?.SetTag("db.system.name", "redis");
        activity?.SetTag("db.operation.name", operation);
        return activity;
    }
}
