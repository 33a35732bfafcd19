using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MlOps.ServiceDefaults.Health;

/// <summary><c>/alive</c>: the process runs. <c>/health</c>: it and all it depends on are well (200) or not (503).</summary>
internal static class HealthEndpoints
{
    public static void Map(IEndpointRouteBuilder app)
    {
        app.MapGet("/alive", () => TypedResults.Text("alive")).ExcludeFromDescription();
        app.MapGet("/health", HealthAsync).ExcludeFromDescription();
    }

    private static async Task<JsonHttpResult<HealthAnswer>> HealthAsync(HealthState state, CancellationToken ct)
    {
        var report = await state.GetAsync(ct);
        var checks = report.Entries.ToDictionary(
            e => e.Key,
            e => new CheckAnswer(Word(e.Value.Status), e.Value.Description, Math.Round(e.Value.Duration.TotalMilliseconds, 1)));
        return TypedResults.Json(
            new HealthAnswer(Word(report.Status), checks),
            statusCode: report.Status == HealthStatus.Unhealthy ? 503 : 200);
    }

    private static string Word(HealthStatus status) => status switch
    {
        HealthStatus.Healthy => "healthy",
        HealthStatus.Degraded => "degraded",
        _ => "unhealthy",
    };

    internal sealed record HealthAnswer(string Status, Dictionary<string, CheckAnswer> Checks);

    internal sealed record CheckAnswer(string Status, string? Description, double Milliseconds);
}
