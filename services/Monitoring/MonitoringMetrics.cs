using System.Diagnostics.Metrics;

namespace MlOps.Monitoring;

/// <summary>Instruments of the meter <c>MlOps.Monitoring</c>.</summary>
internal sealed class MonitoringMetrics
{
    public MonitoringMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("MlOps.Monitoring");
        Logged = meter.CreateCounter<long>(
            "mlops.monitoring.prediction.logged", "{prediction}", "Predictions added to the log.");
        Failures = meter.CreateCounter<long>(
            "mlops.monitoring.prediction.failed", "{request}", "Requests without a prediction added to the log.");
        RepeatedRecords = meter.CreateCounter<long>(
            "mlops.monitoring.record.repeated", "{record}", "Records that were in the log already.");
        Labels = meter.CreateCounter<long>("mlops.monitoring.label.stored", "{label}", "Labels stored or replaced.");
        DriftDuration = meter.CreateHistogram<double>(
            "mlops.monitoring.drift.duration", "s", "Time to measure drift once.");
    }

    public Counter<long> Logged { get; }

    public Counter<long> Failures { get; }

    public Counter<long> RepeatedRecords { get; }

    public Counter<long> Labels { get; }

    public Histogram<double> DriftDuration { get; }
}
