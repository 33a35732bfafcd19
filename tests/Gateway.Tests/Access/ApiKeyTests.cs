using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.OpenInference;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Access;

public sealed class ApiKeyTests(ClosedPlatform<ApiKeyTests> platform) : IClassFixture<ClosedPlatform<ApiKeyTests>>
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [ServerFact]
    public async Task Without_a_key_nobody_gets_in_and_is_told_so_in_the_words_of_its_protocol()
    {
        using var rest = await platform.Gateway.Rest.GetAsync("/v1/traffic-policies");
        Assert.Equal((HttpStatusCode.Unauthorized, "application/problem+json"), (rest.StatusCode, rest.Content.Headers.ContentType?.MediaType));
        Assert.Equal("Bearer", rest.Headers.WwwAuthenticate.Single().Scheme);
        Assert.Equal("CREDENTIALS_MISSING", (await BodyAsync(rest))?["code"]?.GetValue<string>());

        foreach (var path in new[] { "/v2/models/m/infer", "/v1/models/m:predict" })
        {
            using var open = await platform.Gateway.Rest.PostAsync(path, null);
            Assert.Equal(HttpStatusCode.Unauthorized, open.StatusCode);
            Assert.Equal(["error"], (await BodyAsync(open))?.Select(p => p.Key));
        }

        using var mlflow = await platform.Gateway.Rest.PostAsync("/invocations", null);
        Assert.Equal("UNAUTHENTICATED", (await BodyAsync(mlflow))?["error_code"]?.GetValue<string>());

        var grpc = await Assert.ThrowsAsync<RpcException>(async () =>
            await new GRPCInferenceService.GRPCInferenceServiceClient(platform.Gateway.Channel)
                .ModelInferAsync(new ModelInferRequest { ModelName = "m" }, deadline: Samples.Soon));
        Assert.Equal((StatusCode.Unauthenticated, "CREDENTIALS_MISSING"), (grpc.StatusCode, grpc.Trailers.GetValue("mlops-code")));
        Assert.Empty(platform.Peer.Requests);
    }

    [ServerTheory]
    [InlineData("/alive")]
    [InlineData("/health")]
    [InlineData("/ping")]
    [InlineData("/v2/health/live")]
    [InlineData("/v2/health/ready")]
    public async Task Probes_need_no_key(string path)
    {
        using var answer = await platform.Gateway.Rest.GetAsync(path);
        Assert.NotEqual(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.NotEqual(HttpStatusCode.Forbidden, answer.StatusCode);
    }

    [ServerFact]
    public async Task A_key_opens_rest_and_grpc_by_either_header_and_goes_no_further_than_the_gateway()
    {
        var key = (await platform.KeyAsync(("viewer", "*"))).Text;
        using var byKey = await platform.SendAsync(HttpMethod.Post, "/v2/models/opened/infer", key);
        Assert.Equal(HttpStatusCode.OK, byKey.StatusCode);

        using var request = new HttpRequestMessage(HttpMethod.Post, "/v2/models/opened/infer");
        request.Headers.Authorization = new("Bearer", key);
        using var byToken = await platform.Gateway.Rest.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, byToken.StatusCode);

        var open = new GRPCInferenceService.GRPCInferenceServiceClient(platform.Gateway.Channel);
        var message = new ModelInferRequest { ModelName = "opened" };
        await open.ModelInferAsync(message, ClosedPlatform<ApiKeyTests>.As(key), Samples.Soon);
        await open.ModelInferAsync(message, new Metadata { { "x-api-key", key } }, Samples.Soon);

        var seen = platform.Peer.Requests.Where(r => r.Path.Contains("opened", StringComparison.Ordinal) || r.Path.EndsWith("ModelInfer", StringComparison.Ordinal)).ToList();
        Assert.Equal(4, seen.Count);
        Assert.All(seen, s => Assert.Empty(s.Headers.Keys.Intersect(["authorization", "x-api-key", "x-mlops-internal"])));
    }

    [ServerFact]
    public async Task A_wrong_secret_is_refused_however_well_known_the_key()
    {
        var made = await platform.KeyAsync(("admin", "*"));
        var forged = made.Text[..^1] + (made.Text[^1] == 'A' ? 'B' : 'A');
        foreach (var wrong in new[] { forged, made.Text + "x", made.Text[..^1], "mlops_", "something", made.Key.Id })
        {
            using var answer = await platform.SendAsync(HttpMethod.Get, "/v1/access/me", wrong);
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
            Assert.Equal("CREDENTIALS_INVALID", (await BodyAsync(answer))?["code"]?.GetValue<string>());
        }
    }

    [ServerFact]
    public async Task A_key_made_over_rest_is_shown_once_and_listed_without_its_text()
    {
        using var created = await platform.SendAsync(HttpMethod.Post, "/v1/access/keys", platform.AdminKey, JsonContent.Create(new
        {
            name = "ci",
            grants = new[] { new { role = "data-scientist", models = "fraud-*" } },
            lifetime_seconds = 3600,
            requests_per_second = 50.5,
            burst = 100,
        }));
        Assert.Equal((HttpStatusCode.Created, "no-store"), (created.StatusCode, created.Headers.CacheControl?.ToString()));
        var made = await BodyAsync(created);
        var (id, text) = (made?["key"]?["id"]?.GetValue<string>(), made?["text"]?.GetValue<string>());
        Assert.Equal($"/v1/access/keys/{id}", created.Headers.Location?.ToString());

        using var me = await platform.SendAsync(HttpMethod.Get, "/v1/access/me", text);
        var who = await BodyAsync(me);
        Assert.Equal(($"key:{id}", "ci"), (who?["name"]?.GetValue<string>(), who?["display"]?.GetValue<string>()));
        Assert.Equal("fraud-*", who?["grants"]?[0]?["models"]?.GetValue<string>());

        using var listed = await platform.SendAsync(HttpMethod.Get, "/v1/access/keys", platform.AdminKey);
        var list = await listed.Content.ReadAsStringAsync();
        Assert.DoesNotContain(text!, list, StringComparison.Ordinal);
        Assert.DoesNotContain(text!.Split('_')[^1], list, StringComparison.Ordinal);
        var found = JsonNode.Parse(list)?["keys"]?.AsArray().Single(k => k?["id"]?.GetValue<string>() == id);
        Assert.Equal(("active", 50.5, 100), (
            found?["state"]?.GetValue<string>(), found?["requests_per_second"]?.GetValue<double>(), found?["burst"]?.GetValue<int>()));
        Assert.StartsWith("key:", found?["created_by"]?.GetValue<string>(), StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task The_database_holds_no_secret()
    {
        var made = await platform.KeyAsync(("viewer", "*"));
        var rows = await platform.Database.QueryAsync(
            "select row_to_json(k)::text from api_key k where id = $1", [made.Key.Id], r => r.GetString(0), CancellationToken.None);
        Assert.DoesNotContain(made.Text.Split('_')[^1], Assert.Single(rows), StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task A_wrong_wish_is_refused_with_every_violation()
    {
        var failure = await Assert.ThrowsAsync<RpcException>(async () => await platform.Access.CreateApiKeyAsync(
            new CreateApiKeyRequest
            {
                Grants = { new Grant { Role = "king", Models = "a b" } },
                LifetimeSeconds = -1,
                RequestsPerSecond = double.NaN,
                Burst = -5,
            },
            platform.Admin, Samples.Soon));
        Assert.Equal((StatusCode.InvalidArgument, "API_KEY_INVALID"), (failure.StatusCode, failure.Trailers.GetValue("mlops-code")));
        foreach (var field in new[] { "name:", "grants[0].role:", "grants[0].models:", "lifetime_seconds:", "requests_per_second:", "burst:" })
            Assert.Contains(field, failure.Status.Detail, StringComparison.Ordinal);
        using var none = await platform.SendAsync(
            HttpMethod.Post, "/v1/access/keys", platform.AdminKey, JsonContent.Create(new { name = "x", grants = new object?[] { null } }));
        Assert.Equal(HttpStatusCode.BadRequest, none.StatusCode);
    }

    [ServerFact]
    public async Task A_rotated_key_has_two_secrets_for_the_overlap_and_one_after()
    {
        var made = await platform.KeyAsync(("viewer", "*"));
        var rotated = await platform.Access.RotateApiKeyAsync(
            new RotateApiKeyRequest { Id = made.Key.Id, OverlapSeconds = 3600 }, platform.Admin, Samples.Soon);
        Assert.NotEqual(made.Text, rotated.Text);
        Assert.Equal(made.Key.Id, rotated.Key.Id);
        Assert.Equal(rotated.Key.RotatedAtMicros + 3_600_000_000, rotated.Key.PreviousUntilMicros);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(made.Text));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(rotated.Text));

        var again = await platform.Access.RotateApiKeyAsync(
            new RotateApiKeyRequest { Id = made.Key.Id, HasOverlap = true }, platform.Admin, Samples.Soon);
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(made.Text));
        Assert.Equal(HttpStatusCode.Unauthorized, await StatusAsync(rotated.Text));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(again.Text));
    }

    [ServerFact]
    public async Task A_rotation_needs_no_body_and_takes_no_wrong_one()
    {
        var path = $"/v1/access/keys/{(await platform.KeyAsync(("viewer", "*"))).Key.Id}/rotate";
        using var bare = await platform.SendAsync(HttpMethod.Post, path, platform.AdminKey);
        Assert.Equal(HttpStatusCode.OK, bare.StatusCode);
        using var timed = await platform.SendAsync(HttpMethod.Post, path, platform.AdminKey, JsonContent.Create(new { overlap_seconds = 60 }));
        Assert.Equal(HttpStatusCode.OK, timed.StatusCode);
        foreach (var (content, status) in new (HttpContent, HttpStatusCode)[]
        {
            (new StringContent("{\"overlap\": 1}", null, "application/json"), HttpStatusCode.BadRequest),
            (new StringContent("{", null, "application/json"), HttpStatusCode.BadRequest),
            (JsonContent.Create(new { overlap_seconds = -1 }), HttpStatusCode.BadRequest),
            (new StringContent("overlap_seconds=1"), HttpStatusCode.UnsupportedMediaType),
        })
        {
            using var wrong = await platform.SendAsync(HttpMethod.Post, path, platform.AdminKey, content);
            Assert.Equal(status, wrong.StatusCode);
        }
    }

    [ServerFact]
    public async Task An_old_secret_ends_with_the_overlap()
    {
        var made = await platform.KeyAsync(("viewer", "*"));
        var rotated = await platform.Access.RotateApiKeyAsync(
            new RotateApiKeyRequest { Id = made.Key.Id, OverlapSeconds = 1 }, platform.Admin, Samples.Soon);
        await Eventually.Async(async () => await StatusAsync(made.Text) == HttpStatusCode.Unauthorized, Deadline);
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(rotated.Text));
    }

    [ServerFact]
    public async Task A_revoked_key_opens_nothing_and_who_has_it_is_told_why()
    {
        var made = await platform.KeyAsync(("viewer", "*"));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(made.Text));
        var revoked = await platform.Access.RevokeApiKeyAsync(new RevokeApiKeyRequest { Id = made.Key.Id }, platform.Admin, Samples.Soon);
        Assert.Equal("revoked", revoked.State);

        using var answer = await platform.SendAsync(HttpMethod.Get, "/v1/access/me", made.Text);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Equal("CREDENTIALS_REVOKED", (await BodyAsync(answer))?["code"]?.GetValue<string>());

        using var again = await platform.SendAsync(HttpMethod.Delete, $"/v1/access/keys/{made.Key.Id}", platform.AdminKey);
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        var rotation = await Assert.ThrowsAsync<RpcException>(async () => await platform.Access.RotateApiKeyAsync(
            new RotateApiKeyRequest { Id = made.Key.Id }, platform.Admin, Samples.Soon));
        Assert.Equal("API_KEY_REVOKED", rotation.Trailers.GetValue("mlops-code"));
        using var nobody = await platform.SendAsync(HttpMethod.Delete, "/v1/access/keys/nobody", platform.AdminKey);
        Assert.Equal(HttpStatusCode.NotFound, nobody.StatusCode);
    }

    [ServerFact]
    public async Task An_expired_key_opens_nothing()
    {
        var made = await platform.Access.CreateApiKeyAsync(
            new CreateApiKeyRequest { Name = "short", Grants = { new Grant { Role = "viewer", Models = "*" } }, LifetimeSeconds = 1 },
            platform.Admin, Samples.Soon);
        await Eventually.Async(async () => await StatusAsync(made.Text) == HttpStatusCode.Unauthorized, Deadline);
        using var answer = await platform.SendAsync(HttpMethod.Get, "/v1/access/me", made.Text);
        Assert.Equal("CREDENTIALS_EXPIRED", (await BodyAsync(answer))?["code"]?.GetValue<string>());
    }

    [ServerFact]
    public async Task Its_last_use_is_noted_without_a_write_per_request()
    {
        await using var replica = await platform.StartReplicaAsync("--Access:LastUsedInterval=00:00:00.2");
        var made = await platform.KeyAsync(("viewer", "*"));
        Assert.Equal(0, made.Key.LastUsedAtMicros);
        for (var i = 0; i < 50; i++)
        {
            await Eventually.Async(async () =>
            {
                using var answer = await platform.SendAsync(HttpMethod.Get, "/v1/access/me", made.Text, replica: replica);
                return answer.IsSuccessStatusCode;
            }, Deadline);
        }

        await Eventually.Async(async () => await LastUsedAsync(made.Key.Id) > 0, Deadline);
    }

    [ServerFact]
    public async Task Of_keys_made_at_once_none_is_lost()
    {
        var made = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => platform.KeyAsync(("viewer", "*"))));
        foreach (var key in made) Assert.Equal(HttpStatusCode.OK, await StatusAsync(key.Text));
    }

    private async Task<long> LastUsedAsync(string id)
    {
        var list = await platform.Access.ListApiKeysAsync(new ListApiKeysRequest(), platform.Admin, Samples.Soon);
        return list.Keys.Single(k => k.Id == id).LastUsedAtMicros;
    }

    private async Task<HttpStatusCode> StatusAsync(string key)
    {
        using var answer = await platform.SendAsync(HttpMethod.Get, "/v1/access/me", key);
        return answer.StatusCode;
    }

    private static Task<JsonObject?> BodyAsync(HttpResponseMessage response) => response.Content.ReadFromJsonAsync<JsonObject>();
}
