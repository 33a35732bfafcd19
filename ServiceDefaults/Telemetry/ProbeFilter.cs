using System.Diagnostics;
using OpenTelemetry;

namespace MlOps.ServiceDefaults.Telemetry;

/// <summary>Keeps health probes, scrapes and idle polling out of the traces, where they would bury everything else.</summary>
internal sealed class ProbeFilter : BaseProcessor<Activity>
{
    public override void OnEnd(Activity data)
    {
        if (IsProbe(data)) data.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
    }

    private static bool IsProbe(Activity activity) =>
        activity.GetTagItem("url.path") is "/health" or "/alive" or "/metrics"
        || (activity.GetTagItem("url.full") is string url
            && (url.EndsWith("/health", StringComparison.Ordinal) || url.EndsWith("/alive", StringComparison.Ordinal)))
        // A statement outside any request is housekeeping: migrations, outbox polling, policy refreshes.
        || (activity.Parent is null && activity.ParentId is null && activity.Source.Name == "Npgsql");
}
