using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using MlOps.Contracts.Gateway.V1;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.JsonCalls;

public sealed class JsonCallTests(Platform<JsonCallTests> platform) : IClassFixture<Platform<JsonCallTests>>
{
    private const string Infer = "/v1/inference.GRPCInferenceService/ModelInfer";
    private const string Historical = "/v1/mlops.features.v1.FeatureStoreService/GetHistoricalFeatures";
    private const string Lines = "application/x-ndjson";

    [ServerFact]
    public async Task A_call_in_json_reaches_the_service_as_the_grpc_call_it_stands_for_and_is_split_alike()
    {
        await platform.Gateway.Policies.PutAsync(Samples.Only("bridged", "7"));
        platform.Peer.Requests.Clear();
        using var response = await PostAsync(Infer, """{"model_name": "bridged", "raw_input_contents": ["AQID"]}""");
        Assert.Equal((HttpStatusCode.OK, "application/json"), (response.StatusCode, response.Content.Headers.ContentType?.MediaType));
        var answer = await response.Content.ReadFromJsonAsync<JsonObject>();
        Assert.Equal("7", answer?["model_version"]?.GetValue<string>());
        Assert.Equal("AQID", answer?["raw_output_contents"]?[0]?.GetValue<string>());
        Assert.Equal(["only"], response.Headers.GetValues("x-mlops-variant"));
        Assert.DoesNotContain(response.Headers, h => h.Key.StartsWith("grpc-", StringComparison.OrdinalIgnoreCase));
        var seen = Assert.Single(platform.Peer.Requests);
        Assert.Equal("/inference.GRPCInferenceService/ModelInfer", seen.Path);
    }

    [ServerFact]
    public async Task The_gateways_own_calls_are_there_as_well()
    {
        using var put = await PostAsync(
            "/v1/mlops.gateway.v1.GatewayService/PutTrafficPolicy",
            """{"policy": {"model": "own", "arms": [{"name": "a", "version": "3", "weight": 1}]}, "actor": "tests"}""");
        Assert.Equal(HttpStatusCode.OK, put.StatusCode);
        var stored = await platform.Gateway.Policies.GetTrafficPolicyAsync(new GetTrafficPolicyRequest { Model = "own" }, deadline: Samples.Soon);
        Assert.Equal("3", stored.Arms[0].Version);
        // 64-bit integers are texts.
        Assert.Equal($"{stored.Revision}", (await put.Content.ReadFromJsonAsync<JsonObject>())?["revision"]?.GetValue<string>());
        using var empty = await platform.Gateway.Rest.PostAsync("/v1/mlops.gateway.v1.GatewayService/ListTrafficPolicies", null);
        Assert.Equal(HttpStatusCode.OK, empty.StatusCode);
    }

    [ServerTheory]
    [InlineData("""{"model_name": "m", "id": "fail"}""", 404, "NOTFOUND", "no such model")]
    [InlineData("""{"modle_name": "m"}""", 400, "REQUEST_MALFORMED", "modle_name")]
    [InlineData("""{"model_name": 7}""", 400, "REQUEST_MALFORMED", "inference.ModelInferRequest")]
    [InlineData("""{"model_name": "m" """, 400, "REQUEST_MALFORMED", "inference.ModelInferRequest")]
    [InlineData("[]", 400, "REQUEST_MALFORMED", "inference.ModelInferRequest")]
    public async Task What_goes_wrong_is_told_as_problem_details(string body, int status, string code, string detail)
    {
        using var response = await PostAsync(Infer, body);
        await ExpectAsync(response, status, code, detail);
    }

    [ServerFact]
    public async Task Mistakes_in_calls_of_the_gateways_own_are_told_alike()
    {
        const string get = "/v1/mlops.gateway.v1.GatewayService/GetTrafficPolicy";
        using var unknown = await PostAsync(get, """{"model": "nobody"}""");
        await ExpectAsync(unknown, 404, "TRAFFIC_POLICY_NOT_FOUND", "nobody");
        using var malformed = await PostAsync(get, """{"name": "nobody"}""");
        await ExpectAsync(malformed, 400, "REQUEST_MALFORMED", "name");
        using var unserved = await PostAsync("/v1/mlops.registry.v1.RegistryService/ListModels", "{}");
        await ExpectAsync(unserved, 501, "UNIMPLEMENTED", "");
        using var nothing = await PostAsync("/v1/mlops.registry.v1.RegistryService/Nothing", "{}");
        Assert.Equal(HttpStatusCode.NotFound, nothing.StatusCode);
    }

    [ServerTheory]
    [InlineData("text/plain")]
    [InlineData("application/x-www-form-urlencoded")]
    [InlineData("multipart/form-data")]
    [InlineData(Lines)]
    public async Task A_body_that_any_page_could_send_unasked_is_not_taken(string type)
    {
        using var response = await PostAsync("/v1/mlops.gateway.v1.GatewayService/ListTrafficPolicies", "{}", type);
        await ExpectAsync(response, 415, "CONTENT_TYPE_UNKNOWN", "application/json");
    }

    [ServerFact]
    public async Task A_body_over_the_limit_or_not_of_UTF8_is_refused()
    {
        await using var narrow = await platform.StartReplicaAsync("--Gateway:MaxRequestBodyBytes=2000");
        foreach (var (path, type) in new[] { (Infer, "application/json"), (Historical, Lines) })
        {
            using var content = new StringContent($$"""{"rows": "{{new string('x', 100_000)}}"}""", Encoding.UTF8, type);
            using var large = await narrow.Rest.PostAsync(path, content);
            await ExpectAsync(large, 413, "REQUEST_TOO_LARGE", "2000");
        }

        using var bytes = new ByteArrayContent([0x22, 0xFF, 0x22]);
        bytes.Headers.ContentType = new("application/json");
        using var other = await platform.Gateway.Rest.PostAsync(Infer, bytes);
        await ExpectAsync(other, 400, "REQUEST_MALFORMED", "UTF-8");
    }

    [ServerFact]
    public async Task A_stream_is_a_line_for_each_message_either_way_and_ends_with_why_it_broke()
    {
        using var whole = await PostAsync(Historical, "{\"rows\": {\"columns\": [{\"name\": \"a\"}]}}\n\n{\"rows\": {}}", Lines);
        Assert.Equal(Lines, whole.Content.Headers.ContentType?.MediaType);
        var lines = (await whole.Content.ReadAsStringAsync()).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(["a", null], lines.Select(l => JsonNode.Parse(l)?["result"]?["columns"]?.AsArray().FirstOrDefault()?["name"]?.GetValue<string>()));

        // The first answer is here before the second message is sent.
        using var raw = await RawHttp.ConnectAsync(platform.Gateway.Http1);
        await raw.SendAsync($"POST {Historical} HTTP/1.1\r\nhost: h\r\ncontent-type: {Lines}\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n");
        await raw.SendAsync(Chunk("{\"rows\": {\"columns\": [{\"name\": \"early\"}]}}\n"));
        Assert.True(await raw.ReadUntilAsync("\"early\""), raw.Received);
        await raw.SendAsync(Chunk("{\"rows\": 1}\n"));
        Assert.Contains("{\"error\":{\"status\":400,\"code\":\"REQUEST_MALFORMED\"", await raw.ReadToEndAsync(), StringComparison.Ordinal);
    }

    [ServerFact]
    public void Every_call_of_the_contracts_has_its_path()
    {
        var calls = MlOps.Gateway.Access.AccessExtensions.CalledServices.SelectMany(s => s.Methods).Select(m => $"/v1/{m.Service.FullName}/{m.Name}");
        Assert.Equal(calls.Order(StringComparer.Ordinal), MlOps.Gateway.JsonCalls.JsonCall.ByPath.Keys.Order(StringComparer.Ordinal));
    }

    private static string Chunk(string text) => $"{text.Length:x}\r\n{text}\r\n";

    private async Task<HttpResponseMessage> PostAsync(string path, string body, string type = "application/json")
    {
        using var content = new StringContent(body, Encoding.UTF8, type);
        return await platform.Gateway.Rest.PostAsync(path, content);
    }

    private static async Task ExpectAsync(HttpResponseMessage response, int status, string code, string detail)
    {
        var text = await response.Content.ReadAsStringAsync();
        Assert.True((int)response.StatusCode == status, $"{response.StatusCode} {text}");
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var problem = JsonNode.Parse(text);
        Assert.Equal((status, code), (problem?["status"]?.GetValue<int>(), problem?["code"]?.GetValue<string>()));
        Assert.Contains(detail, problem?["detail"]?.GetValue<string>(), StringComparison.Ordinal);
    }
}
