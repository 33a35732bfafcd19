using System.Net;
using System.Text;
using System.Text.Json;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.Conformance;

/// <summary>Every path of the protocol, its extensions and the V1 protocol: status, and the names in the answer.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class PathTests(InferenceFixture services)
{
    private const string Infer = """{"inputs":[{"name":"x","shape":[1,1],"datatype":"FP32","data":[1]}]}""";

    /// <summary>{m} is a model, and so is {v} with each way to name its version.</summary>
    [ServerTheory]
    [InlineData("GET", "v2", "", "name version extensions")]
    [InlineData("GET", "v2/health/live", "", "live")]
    [InlineData("GET", "v2/health/ready", "", "live ready")]
    [InlineData("GET", "v2/models", "", "models")]
    [InlineData("GET", "v2/models/{v}", "", "name versions platform inputs outputs properties")]
    [InlineData("GET", "v2/models/{v}/ready", "", "name ready")]
    [InlineData("POST", "v2/models/{v}/infer", Infer, "model_name model_version parameters outputs")]
    [InlineData("GET", "v2/models/stats", "", "model_stats")]
    [InlineData("GET", "v2/models/{v}/stats", "", "model_stats")]
    [InlineData("GET", "v2/models/{v}/config", "", "name platform backend max_batch_size input output parameters")]
    [InlineData("POST", "v2/repository/models/{m}/load", "", "name load")]
    [InlineData("POST", "v2/repository/models/{m}/load", "{}", "name load")]
    [InlineData("POST", "v2/repository/models/{m}/unload", """{"parameters":{"unload_dependents":false}}""", "name unload")]
    [InlineData("GET", "v1/models/{m}", "", "name ready")]
    [InlineData("POST", "v1/models/{m}:predict", """{"instances":[1]}""", "predictions")]
    [InlineData("POST", "v1/models/{v}:predict", """{"instances":[{"x":1}]}""", "predictions")]
    public async Task A_path_answers_with_its_names(string verb, string path, string body, string names)
    {
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        await services.SetAliasAsync(model, "champion", 1);
        await Eventually.Async(
            async () => (await SendAsync("GET", $"v2/models/{model}/versions/champion", "")).Status == HttpStatusCode.OK,
            TimeSpan.FromSeconds(30), "the alias is known");

        foreach (var named in (string[])[model, $"{model}/versions/1", $"{model}/versions/champion", $"{model}/versions/latest"])
        {
            var (status, answer) = await SendAsync(verb, path.Replace("{m}", model).Replace("{v}", named), body);
            Assert.Equal(HttpStatusCode.OK, status);
            Assert.Equal(names.Split(' ').Order(), answer.EnumerateObject().Select(p => p.Name).Order());
            if (!path.Contains("{v}", StringComparison.Ordinal)) break;
        }
    }

    [ServerFact]
    public async Task The_index_names_models_with_their_state_and_the_metadata_its_shapes_as_integers()
    {
        var model = await services.NewModelAsync(Pair.Onnx, Pair.Signature);
        await services.InferAsync(Carrier.Raw, model, "", Pair.Good);

        foreach (var body in (string[])["", "{}", """{"ready":true}"""])
        {
            var (status, index) = await SendAsync("POST", "v2/repository/index", body);
            Assert.Equal(HttpStatusCode.OK, status);
            var entry = index.EnumerateArray().Single(e => e.GetProperty("name").GetString() == model);
            Assert.Equal(("1", "READY", ""), (
                entry.GetProperty("version").GetString(), entry.GetProperty("state").GetString(), entry.GetProperty("reason").GetString()));
        }

        var (_, metadata) = await SendAsync("GET", $"v2/models/{model}", "");
        Assert.Equal("""["1"]""", metadata.GetProperty("versions").GetRawText());
        Assert.Equal(
            """[{"name":"a","datatype":"FP32","shape":[-1,2]},{"name":"b","datatype":"BYTES","shape":[-1,1]}]""",
            metadata.GetProperty("inputs").GetRawText());
        Assert.Equal(
            """[{"name":"p","datatype":"FP32","shape":[-1,2]},{"name":"q","datatype":"BYTES","shape":[-1,1]}]""",
            metadata.GetProperty("outputs").GetRawText());
    }

    [ServerTheory]
    [InlineData("GET", "v2/models/{x}")]
    [InlineData("GET", "v2/models/{x}/ready")]
    [InlineData("POST", "v2/models/{x}/infer")]
    [InlineData("GET", "v2/models/{x}/stats")]
    [InlineData("GET", "v2/models/{x}/config")]
    [InlineData("POST", "v1/models/{x}:predict")]
    public async Task A_model_a_version_or_an_alias_there_is_not_is_404_with_an_error(string verb, string path)
    {
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);

        foreach (var named in (string[])["no-such-model", "no-such-model/versions/1", $"{model}/versions/2", $"{model}/versions/no-such-alias", "a%2Fb", "%F0%9F%98%80"])
        {
            var (status, answer) = await SendAsync(verb, path.Replace("{x}", named), Infer);
            Assert.Equal(HttpStatusCode.NotFound, status);
            Assert.Equal(JsonValueKind.String, answer.GetProperty("error").ValueKind);
        }
    }

    [ServerTheory]
    [InlineData("POST", "v2/repository/models/no-such-model/load")]
    [InlineData("POST", "v2/repository/models/no-such-model/unload")]
    [InlineData("GET", "v1/models/no-such-model")]
    [InlineData("GET", "v2/nothing")]
    [InlineData("GET", "v2/models/{m}/nothing")]
    [InlineData("POST", "v2/models/{m}/generate")]
    [InlineData("POST", "v2/models/{m}/generate_stream")]
    [InlineData("POST", "v2/models/{m}/versions/1/generate")]
    [InlineData("GET", "v2/systemsharedmemory/status")]
    [InlineData("GET", "v2/cudasharedmemory/status")]
    [InlineData("GET", "v2/trace/setting")]
    [InlineData("GET", "v2/logging")]
    public async Task What_is_not_served_is_404_with_an_error(string verb, string path)
    {
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);

        var (status, answer) = await SendAsync(verb, path.Replace("{m}", model), verb == "GET" ? "" : "{}");

        Assert.Equal(HttpStatusCode.NotFound, status);
        Assert.NotEmpty(answer.GetProperty("error").GetString()!);
    }

    [ServerTheory]
    [InlineData("GET", "v2/models/{m}/infer")]
    [InlineData("DELETE", "v2/models/{m}")]
    [InlineData("PUT", "v2/models/{m}/versions/1/infer")]
    [InlineData("GET", "v2/repository/index")]
    [InlineData("POST", "v2/health/live")]
    public async Task Another_verb_is_refused_with_an_error(string verb, string path)
    {
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);

        var (status, answer) = await SendAsync(verb, path.Replace("{m}", model), "");

        Assert.True(status is HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed, $"{status}");
        Assert.NotEmpty(answer.GetProperty("error").GetString()!);
    }

    private async Task<(HttpStatusCode Status, JsonElement Answer)> SendAsync(string verb, string path, string body)
    {
        using var request = new HttpRequestMessage(new HttpMethod(verb), new Uri(path, UriKind.Relative));
        if (body.Length > 0) request.Content = new StringContent(body, Encoding.UTF8, "application/json");
        using var answer = await services.Http.SendAsync(request);
        using var json = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        return (answer.StatusCode, json.RootElement.Clone());
    }
}
