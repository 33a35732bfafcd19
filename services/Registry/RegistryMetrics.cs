using System.Diagnostics.Metrics;

namespace MlOps.Registry;

/// <summary>Instruments of the meter <c>MlOps.Registry</c>.</summary>
internal sealed class RegistryMetrics
{
    public RegistryMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("MlOps.Registry");
        ArtifactBytes = meter.CreateCounter<long>(
            "mlops.registry.artifact.uploaded", "By", "Content of artifacts taken, stored before or not.");
        RunsStarted = meter.CreateCounter<long>(
            "mlops.registry.run.started", "{run}", "Runs started, each attempt counted.");
        MetricPoints = meter.CreateCounter<long>(
            "mlops.registry.run.metrics", "{point}", "Metric points logged.");
        VersionsRegistered = meter.CreateCounter<long>(
            "mlops.registry.version.registered", "{version}", "Model versions made.");
        AliasMoves = meter.CreateCounter<long>(
            "mlops.registry.alias.moves", "{move}", "Aliases set to another version or deleted.");
    }

    public Counter<long> ArtifactBytes { get; }

    public Counter<long> RunsStarted { get; }

    public Counter<long> MetricPoints { get; }

    public Counter<long> VersionsRegistered { get; }

    public Counter<long> AliasMoves { get; }
}
