using System.Net.Http.Json;
using System.Text.Json;
using MlOps.TestServers;

namespace MlOps.EndToEnd.Tests;

/// <summary>What an operator sees in the dashboard, asked of the real one.</summary>
[Collection(PlatformTests.Name)]
public sealed class TraceTests(RunningPlatform platform)
{
    private const string CallerSpan = "00f067aa0ba902b7";

    [ServerFact]
    public async Task A_prediction_by_keys_is_one_trace_through_gateway_inference_feature_store_and_redis()
    {
        var traceId = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray());
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/models/flight-delay/predict")
        {
            Content = JsonContent.Create(new { rows = new[] { Requests.Flight } }),
            Headers = { { "traceparent", $"00-{traceId}-{CallerSpan}-01" } },
        };
        using var answer = await platform.Rest.SendAsync(request);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());

        var spans = new List<Span>();
        await Eventually.Async(
            async () =>
            {
                spans = await SpansAsync(traceId);
                return IsWhole(spans);
            },
            TimeSpan.FromSeconds(30),
            $"the dashboard shows trace {traceId} without a gap");
        Assert.Equal(["featurestore", "gateway", "inference"], spans.Select(s => s.Service).Distinct().Order());
    }

    // Services send their spans each in its own time, so a part may come before what it hangs on.
    private static bool IsWhole(IReadOnlyCollection<Span> spans) =>
        spans.Any(s => s.Service == "featurestore" && s.Name.Contains("redis", StringComparison.Ordinal))
        && spans.All(s => s.Parent == CallerSpan || spans.Any(other => other.Id == s.Parent));

    private async Task<List<Span>> SpansAsync(string traceId)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/telemetry/traces/{traceId}")
        {
            Headers = { { "x-api-key", await File.ReadAllTextAsync(Path.Combine(platform.State, "dashboard", "api-key")) } },
        };
        using var answer = await platform.Dashboard.SendAsync(request);
        if (!answer.IsSuccessStatusCode) return [];
        var spans = new List<Span>();
        using var json = await JsonDocument.ParseAsync(await answer.Content.ReadAsStreamAsync());
        foreach (var resource in json.RootElement.GetProperty("data").GetProperty("resourceSpans").EnumerateArray())
        {
            var service = resource.GetProperty("resource").GetProperty("attributes").EnumerateArray()
                .First(a => a.GetProperty("key").GetString() == "service.name").GetProperty("value").GetProperty("stringValue").GetString();
            spans.AddRange(resource.GetProperty("scopeSpans").EnumerateArray()
                .SelectMany(scope => scope.GetProperty("spans").EnumerateArray())
                .Select(span => new Span(
                    service ?? "", span.GetProperty("name").GetString() ?? "", span.GetProperty("spanId").GetString() ?? "",
                    span.TryGetProperty("parentSpanId", out var parent) ? parent.GetString() ?? "" : "")));
        }

        return spans;
    }

    private sealed record Span(string Service, string Name, string Id, string Parent);
}
