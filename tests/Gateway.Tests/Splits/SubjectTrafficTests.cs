using System.IO.Compression;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Splits;

/// <summary>Subjects read from bodies: the same arm by every protocol, and every byte of the body for the service.</summary>
public sealed class SubjectTrafficTests(Platform<SubjectTrafficTests> platform) : IClassFixture<Platform<SubjectTrafficTests>>
{
    private GRPCInferenceService.GRPCInferenceServiceClient OpenInference => new(platform.Gateway.Channel);

    [ServerFact]
    public async Task A_subject_in_the_body_gets_the_same_arm_by_every_protocol()
    {
        await PutAsync("bodied", p => p.SubjectInput = SubjectValue.Input);
        var variants = new HashSet<string>();
        foreach (var value in SubjectValue.Many(160, seed: 23))
        {
            var typed = (await OpenInference.ModelInferAsync(value.Typed("bodied"), deadline: Samples.Soon)).Id;
            Assert.Equal(typed, (await OpenInference.ModelInferAsync(value.InRaw("bodied"), deadline: Samples.Soon)).Id);
            Assert.Equal(typed, await VariantAsync("/v2/models/bodied/infer", value.OpenInferenceJson));
            var (body, jsonLength) = value.OpenInferenceBinary;
            Assert.Equal(typed, await VariantAsync("/v2/models/bodied/infer", body, jsonLength: jsonLength));
            if (value.Datatype != "FP32")
            {
                Assert.Equal(typed, await VariantAsync("/v1/models/bodied/predict", value.RowsJson));
                Assert.Equal(typed, await VariantAsync("/v1/models/bodied:predict", value.InstancesJson));
                Assert.Equal(typed, await VariantAsync("/v1/models/bodied/predict", Compress(value.RowsJson), encoding: "gzip"));
            }

            if (value.Rows("bodied") is { } rows)
            {
                var predicted = await new InferenceService.InferenceServiceClient(platform.Gateway.Channel)
                    .PredictAsync(rows, deadline: Samples.Soon);
                Assert.Equal(typed, predicted.Variant);
            }

            variants.Add(typed);
        }

        Assert.Equal(["challenger", "champion"], variants.Order());
    }

    [ServerFact]
    public async Task The_header_stands_before_the_body_and_what_was_split_by_is_passed_on()
    {
        await PutAsync("passed", p => p.SubjectInput = SubjectValue.Input);
        var body = new SubjectValue("BYTES", "Zoë").OpenInferenceJson;
        Assert.Equal("Zoë", (await PostAsync("/v2/models/passed/infer", body))["subject"]?.GetValue<string>());
        Assert.Equal("me", (await PostAsync("/v2/models/passed/infer", body, subject: "me"))["subject"]?.GetValue<string>());

        // What no header can hold is split by and not passed on.
        var control = new SubjectValue("BYTES", "a\r\nx-mlops-tier: stable").OpenInferenceJson;
        var answer = await PostAsync("/v2/models/passed/infer", control);
        Assert.Null(answer["subject"]);
        Assert.NotNull(answer["variant"]);
    }

    [ServerFact]
    public async Task A_subject_that_is_no_ascii_passes_in_a_header_as_well()
    {
        await PutAsync("unicode", _ => { });
        Assert.Equal("東京", (await PostAsync("/v2/models/unicode/infer", [], subject: "東京"))["subject"]?.GetValue<string>());
    }

    [ServerFact]
    public async Task A_pointer_reads_the_parameters_by_either_protocol()
    {
        await PutAsync("pointed", p => p.SubjectJson = "/parameters/user");
        for (var i = 0; i < 60; i++)
        {
            var rest = await VariantAsync("/v2/models/pointed/infer", Encoding.UTF8.GetBytes($$"""{"parameters":{"user":"u-{{i}}"},"inputs":[]}"""));
            var request = new ModelInferRequest { ModelName = "pointed", Parameters = { ["user"] = new InferParameter { StringParam = $"u-{i}" } } };
            Assert.Equal(rest, (await OpenInference.ModelInferAsync(request, deadline: Samples.Soon)).Id);
        }
    }

    [ServerTheory]
    [InlineData(1, true)]
    [InlineData(40_000, true)]
    [InlineData(200_000, false)]
    public async Task A_body_of_any_length_passes_whole_and_is_read_within_the_limit(int before, bool isRead)
    {
        await PutAsync("long", p => p.SubjectInput = SubjectValue.Input);
        var body = Encoding.UTF8.GetBytes($$"""{"x":"{{new string('x', before)}}","rows":[{"user":"u-1"}],"y":"{{new string('y', 90_000)}}"}""");
        platform.Peer.Requests.Clear();
        foreach (var isChunked in new[] { false, true })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/v1/models/long/predict") { Content = new ByteArrayContent(body) };
            if (isChunked) request.Headers.TransferEncodingChunked = true;
            using var response = await platform.Gateway.Rest.SendAsync(request);
            Assert.Equal(HttpStatusCode.OK, response.StatusCode);
            Assert.Equal(isRead ? "u-1" : null, (await response.Content.ReadFromJsonAsync<JsonObject>())?["subject"]?.GetValue<string>());
        }

        Assert.All(platform.Peer.Requests, seen => Assert.True(seen.Body.AsSpan().SequenceEqual(body)));
        Assert.Equal(2, platform.Peer.Requests.Count);
    }

    [ServerFact]
    public async Task A_body_over_the_gateways_limit_is_refused_though_it_is_peeked_at()
    {
        await using var narrow = await platform.StartReplicaAsync("--Gateway:MaxRequestBodyBytes=2000");
        await PutAsync("narrow", p => p.SubjectInput = SubjectValue.Input);
        await Eventually.Async(async () => (await narrow.Rest.GetAsync("/v1/traffic-policies/narrow")).IsSuccessStatusCode, TimeSpan.FromSeconds(20));
        using var response = await narrow.Rest.PostAsync("/v2/models/narrow/infer", new ByteArrayContent(new byte[2001]));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, response.StatusCode);
    }

    [ServerFact]
    public async Task Without_a_subject_the_request_id_decides_so_that_a_repetition_meets_the_same_arm()
    {
        await PutAsync("anonymous", p => p.Arms[0].Weight = p.Arms[1].Weight = 0.5);
        for (var i = 0; i < 20; i++)
        {
            var variants = new HashSet<string?>();
            for (var again = 0; again < 4; again++)
            {
                using var request = new HttpRequestMessage(HttpMethod.Post, "/v2/models/anonymous/infer") { Headers = { { "x-request-id", $"r-{i}" } } };
                using var response = await platform.Gateway.Rest.SendAsync(request);
                variants.Add((await response.Content.ReadFromJsonAsync<JsonObject>())?["variant"]?.GetValue<string>());
                variants.Add((await OpenInference.ModelInferAsync(
                    new ModelInferRequest { ModelName = "anonymous" }, new Metadata { { "x-request-id", $"r-{i}" } }, Samples.Soon)).Id);
            }

            Assert.Single(variants);
        }

        var nameless = new HashSet<string?>();
        // All alike by chance: once in 10 to the 18.
        for (var i = 0; i < 60; i++) nameless.Add(await VariantAsync("/v2/models/anonymous/infer", []));
        Assert.Equal(2, nameless.Count);
    }

    [ServerFact]
    public async Task MLflows_invocations_are_split_where_a_header_names_the_model()
    {
        await PutAsync("scored", p => p.Arms[1].Weight = 1 - (p.Arms[0].Weight = 0));
        using var request = new HttpRequestMessage(HttpMethod.Post, "/invocations") { Headers = { { "x-mlops-model", "scored" } } };
        using var response = await platform.Gateway.Rest.SendAsync(request);
        Assert.Equal("challenger", (await response.Content.ReadFromJsonAsync<JsonObject>())?["variant"]?.GetValue<string>());
        Assert.Null((await PostAsync("/invocations", []))["variant"]);
    }

    [ServerFact]
    public async Task What_the_policy_says_of_the_body_is_kept_and_checked()
    {
        var put = await PutAsync("kept", p => p.SubjectJson = "/parameters/a~1b");
        Assert.Equal("/parameters/a~1b", put.SubjectJson);
        var failure = await Assert.ThrowsAsync<RpcException>(() => PutAsync("kept", p => (p.SubjectJson, p.SubjectInput) = ("user", "user\n")));
        Assert.Contains("subject_json", failure.Status.Detail, StringComparison.Ordinal);
        Assert.Contains("subject_input", failure.Status.Detail, StringComparison.Ordinal);
        var json = await platform.Gateway.Rest.GetFromJsonAsync<JsonObject>("/v1/traffic-policies/kept");
        Assert.Equal("/parameters/a~1b", json?["subject_json"]?.GetValue<string>());
    }

    private Task<TrafficPolicy> PutAsync(string model, Action<TrafficPolicy> change)
    {
        var policy = Samples.NinetyTen(model);
        policy.Arms[0].Weight = 0.6;
        policy.Arms[1].Weight = 0.4;
        change(policy);
        return platform.Gateway.Policies.PutAsync(policy);
    }

    private async Task<string?> VariantAsync(string path, byte[] body, int jsonLength = -1, string? encoding = null) =>
        (await PostAsync(path, body, jsonLength, encoding))["variant"]?.GetValue<string>();

    private async Task<JsonObject> PostAsync(string path, byte[] body, int jsonLength = -1, string? encoding = null, string? subject = null)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = new ByteArrayContent(body) };
        request.Content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
        if (encoding is not null) request.Content.Headers.ContentEncoding.Add(encoding);
        if (jsonLength >= 0) request.Headers.Add("Inference-Header-Content-Length", $"{jsonLength}");
        if (subject is not null) request.Headers.TryAddWithoutValidation("x-mlops-subject", subject);
        using var client = Client();
        using var response = await client.SendAsync(request);
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<JsonObject>() ?? throw new InvalidOperationException("An empty answer.");
    }

    private HttpClient Client() => new(new SocketsHttpHandler { RequestHeaderEncodingSelector = (_, _) => Encoding.UTF8 })
    {
        BaseAddress = platform.Gateway.Rest.BaseAddress,
    };

    private static byte[] Compress(byte[] body)
    {
        using var stream = new MemoryStream();
        using (var gzip = new GZipStream(stream, CompressionLevel.Fastest)) gzip.Write(body);
        return stream.ToArray();
    }
}
