using System.Net.Http.Json;
using System.Text.Json;
using MlOps.TestServers;

namespace MlOps.EndToEnd.Tests;

/// <summary>What an operator sees in the dashboard, asked of the real one.</summary>
[Collection(PlatformTests.Name)]
public sealed class TraceTests(RunningPlatform platform)
{
    [ServerFact]
    public async Task A_prediction_by_keys_is_one_trace_through_gateway_inference_feature_store_and_redis()
    {
        var traceId = Convert.ToHexStringLower(Guid.NewGuid().ToByteArray());
        using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/models/flight-delay/predict")
        {
            Content = JsonContent.Create(new { rows = new[] { Requests.Flight } }),
            Headers = { { "traceparent", $"00-{traceId}-00f067aa0ba902b7-01" } },
        };
        using var answer = await platform.Rest.SendAsync(request);
        Assert.True(answer.IsSuccessStatusCode, await answer.Content.ReadAsStringAsync());

        var spans = new List<(string Service, string Name)>();
        await Eventually.Async(
            async () =>
            {
                spans = await SpansAsync(traceId);
                return spans.Any(s => s.Name.Contains("redis", StringComparison.OrdinalIgnoreCase));
            },
            TimeSpan.FromSeconds(30),
            $"the dashboard shows trace {traceId} down to Redis");

        var services = spans.Select(s => s.Service).Distinct().Order();
        Assert.Equal(["featurestore", "gateway", "inference"], services);
        Assert.Contains(spans, s => s.Service == "featurestore" && s.Name.Contains("redis", StringComparison.OrdinalIgnoreCase));
    }

    private async Task<List<(string Service, string Name)>> SpansAsync(string traceId)
    {
        using var answer = await platform.Dashboard.GetAsync(new Uri($"/api/telemetry/traces/{traceId}", UriKind.Relative));
        if (!answer.IsSuccessStatusCode) return [];
        var spans = new List<(string, string)>();
        using var json = await JsonDocument.ParseAsync(await answer.Content.ReadAsStreamAsync());
        foreach (var resource in json.RootElement.GetProperty("data").GetProperty("resourceSpans").EnumerateArray())
        {
            var service = resource.GetProperty("resource").GetProperty("attributes").EnumerateArray()
                .First(a => a.GetProperty("key").GetString() == "service.name").GetProperty("value").GetProperty("stringValue").GetString();
            spans.AddRange(resource.GetProperty("scopeSpans").EnumerateArray()
                .SelectMany(scope => scope.GetProperty("spans").EnumerateArray())
                .Select(span => (service ?? "", span.GetProperty("name").GetString() ?? "")));
        }

        return spans;
    }
}
