using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MlOps.ServiceDefaults.Health;

/// <summary>
/// The latest health report: at most 10 s old when all is well and 1 s otherwise, so that neither probes nor a
/// recovery wait for the other; a check that takes longer than 5 s counts as failed.
/// </summary>
internal sealed class HealthState(HealthCheckService checks, TimeProvider time) : IDisposable
{
    private static readonly TimeSpan FreshWhenHealthy = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FreshOtherwise = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);
    private readonly SemaphoreSlim _turn = new(1);
    private Dated? _latest;

    public async Task<HealthReport> GetAsync(CancellationToken ct)
    {
        if (Fresh() is { } known) return known;
        await _turn.WaitAsync(ct);
        try
        {
            if (Fresh() is { } made) return made;
            var report = await CheckAsync();
            _latest = new Dated(report, time.GetTimestamp());
            return report;
        }
        finally
        {
            _turn.Release();
        }
    }

    private HealthReport? Fresh() =>
        _latest is { } latest
        && time.GetElapsedTime(latest.At) < (latest.Report.Status == HealthStatus.Healthy ? FreshWhenHealthy : FreshOtherwise)
            ? latest.Report
            : null;

    private async Task<HealthReport> CheckAsync()
    {
        using var timeout = new CancellationTokenSource(Limit, time);
        try
        {
            return await checks.CheckHealthAsync(timeout.Token).WaitAsync(Limit * 2, time, CancellationToken.None);
        }
        catch (Exception e) when (e is OperationCanceledException or TimeoutException)
        {
            var late = new HealthReportEntry(
                HealthStatus.Unhealthy, $"no answer within {Limit.TotalSeconds:0} s", Limit, e, data: null);
            return new HealthReport(new Dictionary<string, HealthReportEntry> { ["checks"] = late }, Limit);
        }
    }

    public void Dispose() => _turn.Dispose();

    private sealed record Dated(HealthReport Report, long At);
}
