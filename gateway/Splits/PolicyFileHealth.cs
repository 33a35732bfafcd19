using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MlOps.Gateway.Splits;

/// <summary>Degraded while the policy file's latest content is refused: what is in force is not what its author wrote.</summary>
internal sealed class PolicyFileHealth(PolicyFileWatch watch) : IHealthCheck
{
    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(watch.State.Refused is { } refused
            ? HealthCheckResult.Degraded(
                $"{watch.State.Path} is refused: {string.Join("; ", refused.Errors.Select(e => $"{e.Field}: {e.Rule}"))}")
            : HealthCheckResult.Healthy());
}
