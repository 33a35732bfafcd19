using System.Net.Http.Json;
using System.Text.Json;

namespace MlOps.Clients;

/// <summary>The Open Inference Protocol over REST.</summary>
internal sealed class RestClient : IDisposable
{
    private readonly HttpClient _http;

    public RestClient(Uri address, string key)
    {
        _http = new HttpClient { BaseAddress = address, Timeout = TimeSpan.FromSeconds(10) };
        if (key.Length > 0) _http.DefaultRequestHeaders.Add("x-api-key", key);
    }

    /// <exception cref="HttpRequestException">The platform is away, or refuses and says why.</exception>
    public async Task<Answer> InferAsync(string model, string version, Tensor[] tensors)
    {
        var path = version.Length == 0 ? $"v2/models/{model}/infer" : $"v2/models/{model}/versions/{version}/infer";
        var inputs = tensors.Select(t => new { name = t.Name, datatype = t.Datatype, shape = new[] { t.Values.Length, 1 }, data = t.Values });
        using var answer = await _http.PostAsJsonAsync(path, new { inputs });
        var body = await answer.Content.ReadFromJsonAsync<JsonElement>();
        if (!answer.IsSuccessStatusCode)
        {
            throw new HttpRequestException($"refused with {(int)answer.StatusCode}: {body.GetProperty("error").GetString()}");
        }

        return new Answer(
            "REST", body.GetProperty("model_version").GetString() ?? "", answer.Headers.GetValues("x-mlops-prediction-id").Single(),
            body.GetProperty("outputs").EnumerateArray().ToDictionary(
                output => output.GetProperty("name").GetString() ?? "",
                output => output.GetProperty("data").EnumerateArray().Select(v => ValueOf(output.GetProperty("datatype").GetString(), v)).ToArray()));
    }

    // Null is a missing number. FP32 is read as such: its digits are those of the nearest float.
    private static object ValueOf(string? datatype, JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.Null => double.NaN,
        JsonValueKind.String => value.GetString() ?? "",
        JsonValueKind.True or JsonValueKind.False => value.GetBoolean(),
        _ => datatype switch
        {
            "FP32" => (double)value.GetSingle(),
            "UINT64" => value.GetUInt64(),
            _ when datatype?.Contains("INT", StringComparison.Ordinal) == true => value.GetInt64(),
            _ => value.GetDouble(),
        },
    };

    public void Dispose() => _http.Dispose();
}
