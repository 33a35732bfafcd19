using System.Diagnostics.Metrics;
using MlOps.Inference.Models;

namespace MlOps.Inference.Guards;

/// <summary>Shows the decisions of every loaded version as <c>mlops.inference.guard</c>, without cost to a request.</summary>
internal sealed class DecisionMetrics
{
    public DecisionMetrics(ModelHost host, InferenceTelemetry telemetry) => telemetry.Meter.CreateObservableCounter(
        "mlops.inference.guard", () => Read(host), "{decision}", "Decisions of input guard and feature policies, per request, check and input");

    private static IEnumerable<Measurement<long>> Read(ModelHost host) =>
        from model in host.Slots.Select(slot => slot.Loaded).OfType<LoadedModel>()
        from counted in model.Decisions.Read()
        select new Measurement<long>(
            counted.Count, new("model", model.Model), new("version", model.VersionText), new("check", counted.Check),
            new KeyValuePair<string, object?>("decision", counted.Decision));
}
