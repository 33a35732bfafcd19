using System.ComponentModel.DataAnnotations;

namespace MlOps.ServiceDefaults.Telemetry;

/// <summary>How much is recorded; section <c>Telemetry</c>. The standard <c>OTEL_TRACES_SAMPLER</c> wins where it is set.</summary>
internal sealed record TelemetryOptions
{
    /// <summary>Most traces that begin in this service and are recorded, per second.</summary>
    [Range(1, 1_000_000)]
    public double TracesPerSecond { get; init; } = 50;
}
