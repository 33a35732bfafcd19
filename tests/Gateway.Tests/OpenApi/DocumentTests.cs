using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using MlOps.Gateway.Access;
using MlOps.Gateway.JsonCalls;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.OpenApi;

public sealed class DocumentTests(Platform<DocumentTests> platform) : IClassFixture<Platform<DocumentTests>>
{
    [ServerFact]
    public async Task The_document_has_every_route_and_every_call_and_nothing_that_is_not_served()
    {
        var document = await DocumentAsync();
        var described = Operations(document).Select(o => $"{o.Method.ToUpperInvariant()} {o.Path}");
        var served = AccessTable.Rules.Where(r => !r.IsGrpc).Select(r => r.Route).Concat(JsonCall.All.Select(c => $"POST {c.RestPath}"));
        Assert.Equal(served.Order(StringComparer.Ordinal), described.Order(StringComparer.Ordinal));
        Assert.Equal("3.1.0", document["openapi"]?.GetValue<string>());
    }

    [ServerFact]
    public async Task Every_reference_leads_somewhere_and_every_operation_is_whole()
    {
        var document = await DocumentAsync();
        foreach (var reference in References(document))
        {
            Assert.True(
                reference.Split('/').Skip(1).Aggregate((JsonNode?)document, (at, part) => at?[part]) is not null, reference);
        }

        var operations = Operations(document).ToArray();
        Assert.All(operations, o =>
        {
            Assert.NotNull(o.Operation["summary"]);
            Assert.NotEmpty(o.Operation["responses"]?.AsObject() ?? []);
            Assert.NotNull(o.Operation["tags"]?[0]);
            Assert.NotNull(o.Operation["security"]);
            var parameters = o.Operation["parameters"]?.AsArray().Where(p => p?["in"]?.GetValue<string>() == "path").Select(p => $"{{{p?["name"]}}}") ?? [];
            Assert.Equal(o.Path.Count(c => c == '{'), parameters.Count(p => o.Path.Contains(p, StringComparison.Ordinal)));
        });
        var ids = operations.Select(o => o.Operation["operationId"]?.GetValue<string>()).OfType<string>();
        Assert.Distinct(ids);
        // What is served without a line of its own in forwarded.json is found by the tag it gets.
        Assert.DoesNotContain(operations, o => o.Path.StartsWith("/v2", StringComparison.Ordinal) && o.Operation["tags"]?[0]?.GetValue<string>() == "More");
    }

    [ServerFact]
    public async Task Calls_are_described_by_the_words_and_fields_of_their_protos()
    {
        var document = await DocumentAsync();
        var schema = document["components"]?["schemas"]?["mlops.registry.v1.Run"];
        Assert.Equal("32 hex digits.", schema?["properties"]?["run_id"]?["description"]?.GetValue<string>());
        Assert.Equal("int64", schema?["properties"]?["start_time_micros"]?["format"]?.GetValue<string>());
        var upload = document["paths"]?["/v1/mlops.registry.v1.RegistryService/UploadArtifact"]?["post"];
        Assert.NotNull(upload?["requestBody"]?["content"]?["application/x-ndjson"]);
        Assert.StartsWith("First message: header", upload?["description"]?.GetValue<string>(), StringComparison.Ordinal);
        var put = document["paths"]?["/v1/traffic-policies/{model}"]?["put"];
        Assert.Contains("operator", put?["x-roles"]?.AsArray().Select(r => r?.GetValue<string>()) ?? []);
        Assert.NotNull(put?["requestBody"]?["content"]?["application/json"]?["schema"]?["properties"]?["arms"]);
    }

    [ServerFact]
    public async Task It_is_sent_once_to_those_who_keep_it()
    {
        using var first = await platform.Gateway.Rest.GetAsync("/openapi.json");
        using var again = new HttpRequestMessage(HttpMethod.Get, "/openapi.json") { Headers = { IfNoneMatch = { first.Headers.ETag ?? EntityTagHeaderValue.Any } } };
        using var second = await platform.Gateway.Rest.SendAsync(again);
        Assert.Equal(HttpStatusCode.NotModified, second.StatusCode);
    }

    [ServerFact]
    public async Task The_page_to_browse_it_loads_nothing_from_elsewhere()
    {
        using var page = await platform.Gateway.Rest.GetAsync("/docs");
        Assert.Equal("text/html", page.Content.Headers.ContentType?.MediaType);
        var html = await page.Content.ReadAsStringAsync();
        Assert.Contains("/docs/docs.js", html, StringComparison.Ordinal);
        foreach (var text in new[] { html, await platform.Gateway.Rest.GetStringAsync("/docs/docs.js"), await platform.Gateway.Rest.GetStringAsync("/docs/docs.css") })
        {
            Assert.DoesNotContain("//", text.Replace("// ", "", StringComparison.Ordinal), StringComparison.Ordinal);
        }
    }

    private async Task<JsonObject> DocumentAsync() =>
        await platform.Gateway.Rest.GetFromJsonAsync<JsonObject>("/openapi.json") ?? throw new InvalidOperationException("null");

    private static IEnumerable<(string Method, string Path, JsonNode Operation)> Operations(JsonObject document) =>
        from path in document["paths"]?.AsObject() ?? []
        from method in path.Value?.AsObject() ?? []
        select (method.Key, path.Key, method.Value);

    private static IEnumerable<string> References(JsonNode? node) => node switch
    {
        JsonObject o => o.SelectMany(p => p is { Key: "$ref", Value: JsonValue v } ? [v.GetValue<string>()] : References(p.Value)),
        JsonArray a => a.SelectMany(References),
        _ => [],
    };
}
