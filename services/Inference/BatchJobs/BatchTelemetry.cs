using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace MlOps.Inference.BatchJobs;

/// <summary>Spans and instruments of batch scoring.</summary>
internal sealed class BatchTelemetry
{
    public BatchTelemetry(InferenceTelemetry inference)
    {
        var meter = inference.Meter;
        Jobs = meter.CreateCounter<long>("mlops.inference.batch.jobs", "{job}", "Batch jobs that ended, by outcome");
        Rows = meter.CreateCounter<long>("mlops.inference.batch.rows", "{row}", "Rows of batch jobs, by model and outcome");
        PartitionDuration = meter.CreateHistogram<double>("mlops.inference.batch.partition.duration", "s", "Time a partition took");
    }

    public static ActivitySource Activities { get; } = new(InferenceTelemetry.SourceName);

    public Counter<long> Jobs { get; }

    public Counter<long> Rows { get; }

    public Histogram<double> PartitionDuration { get; }
}
