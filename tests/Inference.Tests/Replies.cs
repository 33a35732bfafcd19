using System.Net;
using System.Text;
using System.Text.Json;

namespace MlOps.Inference.Tests;

/// <summary>A REST answer: status, JSON and the headers a test asks for.</summary>
internal sealed record Reply(HttpStatusCode Status, JsonElement Json, Func<string, string?> Header);

internal static class Replies
{
    public static async Task<Reply> PostJsonAsync(
        this HttpClient http, string path, string body, params (string Name, string Value)[] headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, new Uri(path, UriKind.Relative))
        {
            Content = new StringContent(body, Encoding.UTF8, "application/json"),
        };
        foreach (var (name, value) in headers) request.Headers.Add(name, value);
        using var answer = await http.SendAsync(request);
        using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        var all = answer.Headers.ToDictionary(h => h.Key, h => h.Value.First(), StringComparer.OrdinalIgnoreCase);
        return new Reply(answer.StatusCode, json.RootElement.Clone(), name => all.GetValueOrDefault(name));
    }
}
