using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MlOps.Inference.Models;

/// <summary>Well when every wanted version is loaded; degraded, and saying why, while it serves less than that.</summary>
internal sealed class ModelsHealthCheck(ModelHost host) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default)
    {
        if (host.RegistryFailure is { } failure)
        {
            return Task.FromResult(HealthCheckResult.Degraded($"registry is away: {failure}"));
        }

        var missing = host.Missing();
        return Task.FromResult(missing.Count == 0
            ? HealthCheckResult.Healthy($"{host.Slots.Count(s => s.Loaded is not null)} versions loaded")
            : HealthCheckResult.Degraded(string.Join("; ", missing.Select(m => $"{m.Model} {m.Version}: {m.Reason}"))));
    }
}
