using System.Diagnostics.Metrics;

namespace MlOps.Gateway;

/// <summary>Instruments of the meter <c>MlOps.Gateway</c>.</summary>
internal sealed class GatewayMetrics
{
    public GatewayMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("MlOps.Gateway");
        Assignments = meter.CreateCounter<long>(
            "mlops.gateway.assignments", "{request}", "Predictions assigned to an arm of a traffic policy.");
        Unread = meter.CreateCounter<long>(
            "mlops.gateway.unread", "{request}", "gRPC predictions whose model could not be read, left to the default version.");
        ForwardFailures = meter.CreateCounter<long>(
            "mlops.gateway.forward.failures", "{request}", "Requests that a service did not answer.");
        PolicyReloads = meter.CreateCounter<long>(
            "mlops.gateway.policy.reloads", "{reload}", "Times the traffic policies were read from the database.");
        KeyReloads = meter.CreateCounter<long>(
            "mlops.gateway.key.reloads", "{reload}", "Times the API keys were read from the database.");
        Refused = meter.CreateCounter<long>(
            "mlops.gateway.refused", "{request}", "Requests turned away at the door, by the code of the refusal.");
    }

    public Counter<long> Assignments { get; }

    public Counter<long> Unread { get; }

    public Counter<long> ForwardFailures { get; }

    public Counter<long> PolicyReloads { get; }

    public Counter<long> KeyReloads { get; }

    public Counter<long> Refused { get; }
}
