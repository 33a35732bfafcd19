using System.Text.Json;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using MlOps.Gateway.Resilience;

namespace MlOps.Gateway.Routes;

/// <summary>
/// <c>/v1/health</c>, also <c>/health</c>, of the whole platform: every service is asked at the same time, none for longer than two
/// seconds. 200 when all of them serve, 503 otherwise. <c>/healthz</c> and <c>/readyz</c> are about this gateway alone: that it
/// runs, and that it takes requests.
/// </summary>
internal static class PlatformHealth
{
    private const string Client = "platform health";
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(2);

    public static void AddPlatformHealth(this WebApplicationBuilder builder) =>
        builder.Services.AddHttpClient(Client).ConfigurePrimaryHttpMessageHandler(() => new SocketsHttpHandler
        {
            ConnectTimeout = Limit,
            PooledConnectionIdleTimeout = TimeSpan.FromMinutes(1),
        });

    /// <summary>Comes before the service's own <c>/health</c>, which every other service has as it is.</summary>
    public static void MapPlatformHealth(this WebApplication app)
    {
        app.MapGet("/health", AskAllAsync).WithOrder(-1).ExcludeFromDescription();
        app.MapGet("/v1/health", AskAllAsync).ExcludeFromDescription();
        app.MapGet("/healthz", () => TypedResults.Text("alive")).ExcludeFromDescription();
        app.MapGet("/readyz", IsReadyAsync).ExcludeFromDescription();
    }

    // What is behind the gateway does not count: without it the others would not answer better.
    private static async Task<JsonHttpResult<ServiceAnswer>> IsReadyAsync(HealthCheckService own, Drain drain, CancellationToken ct)
    {
        if (drain.IsDraining)
            return TypedResults.Json(ServiceAnswer.Unwell("it is going away"), statusCode: StatusCodes.Status503ServiceUnavailable);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Limit);
        var (_, answer) = await AskSelfAsync(own, limit.Token);
        return TypedResults.Json(
            answer, statusCode: answer.Status == "unhealthy" ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK);
    }

    private static async Task<JsonHttpResult<PlatformAnswer>> AskAllAsync(
        IHttpClientFactory clients, IConfiguration configuration, HealthCheckService own, CancellationToken ct)
    {
        using var client = clients.CreateClient(Client);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(ct);
        limit.CancelAfter(Limit);
        var asked = PlatformService.All
            .SelectMany(s => s.Addresses(configuration, "http").Select((address, i) => (Name: i == 0 ? s.Name : $"{s.Name}-{i}", address)))
            .Select(async s => (s.Name, Answer: await AskAsync(client, s.address, limit.Token)))
            .Append(AskSelfAsync(own, limit.Token));
        var answers = await Task.WhenAll(asked);
        ct.ThrowIfCancellationRequested();

        var statuses = answers.Select(a => a.Answer.Status).ToArray();
        var status = statuses.All(s => s == "healthy") ? "healthy"
            : statuses.All(s => s is "healthy" or "degraded") ? "degraded"
            : "unhealthy";
        return TypedResults.Json(
            new PlatformAnswer(status, answers.ToDictionary(a => a.Name, a => a.Answer)),
            statusCode: status == "unhealthy" ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK);
    }

    private static async Task<ServiceAnswer> AskAsync(HttpClient client, string address, CancellationToken ct)
    {
        try
        {
            using var response = await client.GetAsync(new Uri(new Uri(address), "/health"), ct);
            return await response.Content.ReadFromJsonAsync<ServiceAnswer>(ct) ?? ServiceAnswer.Unwell("an empty answer");
        }
        catch (OperationCanceledException)
        {
            return ServiceAnswer.Unwell($"no answer within {Limit.TotalSeconds:0} s");
        }
        catch (Exception e) when (e is HttpRequestException or IOException)
        {
            return ServiceAnswer.Unwell("cannot be reached");
        }
        catch (JsonException)
        {
            return ServiceAnswer.Unwell("not the answer of a service of this platform");
        }
    }

    private static async Task<(string Name, ServiceAnswer Answer)> AskSelfAsync(HealthCheckService own, CancellationToken ct)
    {
        try
        {
            var report = await own.CheckHealthAsync(ct).WaitAsync(ct);
            var checks = report.Entries.ToDictionary(
                e => e.Key, e => new { status = Word(e.Value.Status), description = e.Value.Description });
            return ("gateway", new ServiceAnswer(Word(report.Status), JsonSerializer.SerializeToElement(checks)));
        }
        catch (OperationCanceledException)
        {
            return ("gateway", ServiceAnswer.Unwell($"no answer within {Limit.TotalSeconds:0} s"));
        }
    }

    private static string Word(HealthStatus status) => status switch
    {
        HealthStatus.Healthy => "healthy",
        HealthStatus.Degraded => "degraded",
        _ => "unhealthy",
    };

    internal sealed record PlatformAnswer(string Status, Dictionary<string, ServiceAnswer> Services);

    internal sealed record ServiceAnswer(string Status, JsonElement? Checks = null, string? Reason = null)
    {
        public static ServiceAnswer Unwell(string reason) => new("unhealthy", Reason: reason);
    }
}
