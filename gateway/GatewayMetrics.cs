using System.Diagnostics.Metrics;

namespace MlOps.Gateway;

/// <summary>Instruments of the meter <c>MlOps.Gateway</c>.</summary>
internal sealed class GatewayMetrics
{
    private readonly Meter _meter;

    public GatewayMetrics(IMeterFactory meters)
    {
        var meter = meters.Create("MlOps.Gateway");
        Assignments = meter.CreateCounter<long>(
            "mlops.gateway.assignments", "{request}", "Predictions assigned to an arm of a traffic policy.");
        Unread = meter.CreateCounter<long>(
            "mlops.gateway.unread", "{request}", "gRPC predictions whose model could not be read, left to the default version.");
        ForwardFailures = meter.CreateCounter<long>(
            "mlops.gateway.forward.failures", "{request}", "Requests that a service did not answer.");
        Retries = meter.CreateCounter<long>(
            "mlops.gateway.retries", "{request}", "Requests sent again to another replica of a service.");
        Ejections = meter.CreateCounter<long>(
            "mlops.gateway.ejections", "{ejection}", "Times a replica of a service was left alone for a while.");
        PolicyReloads = meter.CreateCounter<long>(
            "mlops.gateway.policy.reloads", "{reload}", "Times the traffic policies were read from the database.");
        KeyReloads = meter.CreateCounter<long>(
            "mlops.gateway.key.reloads", "{reload}", "Times the API keys were read from the database.");
        Refused = meter.CreateCounter<long>(
            "mlops.gateway.refused", "{request}", "Requests turned away at the door, by the code of the refusal.");
        ShadowCopies = meter.CreateCounter<long>(
            "mlops.gateway.shadow.copies", "{request}", "Requests that were to be copied for a shadow, by what became of it.");
        ShadowDuration = meter.CreateHistogram<double>(
            "mlops.gateway.shadow.duration", "s", "From when a copy is sent until its shadow has answered.");
        RolloutWeight = meter.CreateGauge<double>(
            "mlops.gateway.rollout.weight", "1", "Share of the subjects that meet the version on trial, as the replica that drives the rollout set it.");
        RolloutValue = meter.CreateGauge<double>(
            "mlops.gateway.rollout.value", "1", "What a rollout's rule compares, by metric and arm, at the last look.");
        RolloutChanges = meter.CreateCounter<long>(
            "mlops.gateway.rollout.changes", "{change}", "Changes of rollouts, by the phase they led to.");
        _meter = meter;
    }

    public Counter<long> Assignments { get; }

    public Counter<long> Unread { get; }

    public Counter<long> ForwardFailures { get; }

    public Counter<long> Retries { get; }

    public Counter<long> Ejections { get; }

    public Counter<long> PolicyReloads { get; }

    public Counter<long> KeyReloads { get; }

    public Counter<long> Refused { get; }

    public Counter<long> ShadowCopies { get; }

    public Histogram<double> ShadowDuration { get; }

    public Gauge<double> RolloutWeight { get; }

    public Gauge<double> RolloutValue { get; }

    public Counter<long> RolloutChanges { get; }

    /// <summary>Reads the bytes that copies hold whenever metrics are collected.</summary>
    public void ObserveShadowBytes(Func<long> read) => _meter.CreateObservableGauge(
        "mlops.gateway.shadow.bytes", read, "By", "Bytes of the copies that are being made or wait to be sent.");
}
