using System.Net.Http.Json;
using System.Text.Json.Nodes;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Splits;

public sealed class SplitTrafficTests(Platform<SplitTrafficTests> platform) : IClassFixture<Platform<SplitTrafficTests>>
{
    private GRPCInferenceService.GRPCInferenceServiceClient OpenInference => new(platform.Gateway.Channel);

    private InferenceService.InferenceServiceClient Inference => new(platform.Gateway.Channel);

    [ServerFact]
    public async Task A_subject_gets_the_same_arm_by_both_grpc_protocols_and_by_rest()
    {
        await platform.Gateway.Policies.PutAsync(Samples.NinetyTen("sticky"));
        var variants = new HashSet<string>();
        for (var i = 0; i < 200; i++)
        {
            var subject = $"passenger-{i}";
            var infer = await OpenInference.ModelInferAsync(
                new ModelInferRequest { ModelName = "sticky" }, Samples.Subject(subject), Samples.Soon);
            var predict = await Inference.PredictAsync(
                new PredictRequest { Model = "sticky" }, Samples.Subject(subject), Samples.Soon);
            var v2 = await PostAsync("/v2/models/sticky/infer", subject);
            var v1 = await PostAsync("/v1/models/sticky:predict", subject);

            Assert.Equal(infer.Id, predict.Variant);
            Assert.Equal(infer.Id, v2["variant"]?.GetValue<string>());
            Assert.Equal(infer.Id, v1["variant"]?.GetValue<string>());
            Assert.Equal(infer.Id == "champion" ? "1" : "2", infer.ModelVersion);
            Assert.Equal(infer.ModelVersion, v2["model_version"]?.GetValue<string>());
            variants.Add(infer.Id);
        }

        Assert.Equal(["challenger", "champion"], variants.Order());
    }

    [ServerFact]
    public async Task Assignments_are_counted_per_arm_and_only_for_predictions()
    {
        await platform.Gateway.Policies.PutAsync(Samples.NinetyTen("counted"));
        for (var i = 0; i < 300; i++) await PostAsync("/v2/models/counted/infer", $"s-{i}");
        await OpenInference.ModelReadyAsync(new ModelReadyRequest { Name = "counted" }, deadline: Samples.Soon);
        // Who asks why is told of the version that would answer.
        Assert.NotNull((await PostAsync("/v1/models/counted:explain", "s-1"))["variant"]);
        var explained = await Inference.ExplainAsync(new ExplainRequest { Model = "counted" }, Samples.Subject("s-1"), Samples.Soon);
        Assert.Equal((await PostAsync("/v1/models/counted/explain", "s-1"))["model_version"]?.GetValue<string>(), explained.Version);

        var seen = platform.Peer.Requests.Where(r => r.Path == "/v2/models/counted/infer").GroupBy(r => r.Variant)
            .ToDictionary(g => g.Key ?? "", g => (long)g.Count());
        var counts = (await platform.Gateway.Policies.GetAssignmentsAsync(
            new GetAssignmentsRequest { Model = "counted" }, deadline: Samples.Soon)).Counts;
        Assert.Equal(["champion 1", "challenger 2"], counts.Select(c => $"{c.Arm} {c.Version}"));
        Assert.Equal(300, counts.Sum(c => c.Requests));
        Assert.All(counts, c => Assert.Equal(seen[c.Arm], c.Requests));

        var metrics = await platform.Gateway.Rest.GetStringAsync("/metrics");
        Assert.Contains("mlops_gateway_assignments", metrics, StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task The_answer_names_arm_and_version_once_and_inference_has_the_last_word()
    {
        await platform.Gateway.Policies.PutAsync(Samples.Only("named", "champion"));
        using var first = await platform.Gateway.Rest.PostAsync("/v2/models/named/infer", null);
        Assert.Equal(["only"], first.Headers.GetValues("x-mlops-variant"));
        Assert.Equal(["champion"], first.Headers.GetValues("x-mlops-model-version"));

        using var call = OpenInference.ModelInferAsync(new ModelInferRequest { ModelName = "named" }, deadline: Samples.Soon);
        Assert.Equal("only", (await call.ResponseHeadersAsync).GetValue("x-mlops-variant"));
        await call;

        platform.Peer.AnswersVersion = true;
        using var second = await platform.Gateway.Rest.PostAsync("/v2/models/named/infer", null);
        platform.Peer.AnswersVersion = false;
        Assert.Equal(["17"], second.Headers.GetValues("x-mlops-model-version"));
        Assert.Equal(["only"], second.Headers.GetValues("x-mlops-variant"));
    }

    [ServerFact]
    public async Task A_request_that_names_its_version_or_an_unknown_model_is_not_split()
    {
        await platform.Gateway.Policies.PutAsync(Samples.Only("chosen", "9"));
        Assert.Null((await PostAsync("/v2/models/chosen/versions/3/infer", "s"))["variant"]);
        Assert.Null((await PostAsync("/v2/models/stranger/infer", "s"))["variant"]);
        Assert.Equal("", (await OpenInference.ModelInferAsync(
            new ModelInferRequest { ModelName = "chosen", ModelVersion = "3" }, deadline: Samples.Soon)).Id);
        Assert.Equal("", (await Inference.PredictAsync(
            new PredictRequest { Model = "chosen", Version = "3" }, deadline: Samples.Soon)).Variant);
        Assert.Equal("", (await OpenInference.ModelInferAsync(
            new ModelInferRequest { ModelName = "stranger" }, deadline: Samples.Soon)).Id);
    }

    [ServerFact]
    public async Task A_client_cannot_choose_its_arm_by_sending_the_gateways_own_headers()
    {
        await platform.Gateway.Policies.PutAsync(Samples.Only("guarded", "1"));
        foreach (var (path, variant) in new[] { ("/v2/models/guarded/infer", "only"), ("/v2/models/stranger/infer", null) })
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, path);
            request.Headers.Add("x-mlops-variant", "forged");
            request.Headers.Add("X-MLOPS-Model-Version", "99");
            using var response = await platform.Gateway.Rest.SendAsync(request);
            var json = await response.Content.ReadFromJsonAsync<JsonObject>();
            Assert.Equal(variant, json?["variant"]?.GetValue<string>());
            Assert.NotEqual("99", json?["model_version"]?.GetValue<string>());
        }
    }

    [ServerFact]
    public async Task The_subject_is_read_from_the_policys_own_header()
    {
        var policy = Samples.NinetyTen("own-header");
        policy.SubjectHeader = "X-User-Id";
        Assert.Equal("x-user-id", (await platform.Gateway.Policies.PutAsync(policy)).SubjectHeader);

        for (var i = 0; i < 50; i++)
        {
            var user = new Grpc.Core.Metadata { { "x-user-id", $"user-{i}" } };
            var arms = new HashSet<string>();
            for (var again = 0; again < 4; again++)
            {
                arms.Add((await OpenInference.ModelInferAsync(
                    new ModelInferRequest { ModelName = "own-header" }, user, Samples.Soon)).Id);
            }

            Assert.Single(arms);
        }

        using var request = new HttpRequestMessage(HttpMethod.Post, "/v2/models/own-header/infer")
        {
            Headers = { { "x-user-id", "user-1" }, { "x-mlops-subject", "somebody else" } },
        };
        using var response = await platform.Gateway.Rest.SendAsync(request);
        // What is logged is the subject that was split by.
        Assert.Equal("user-1", (await response.Content.ReadFromJsonAsync<JsonObject>())?["subject"]?.GetValue<string>());
    }

    private async Task<JsonObject> PostAsync(string path, string subject)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Headers = { { "x-mlops-subject", subject } } };
        using var response = await platform.Gateway.Rest.SendAsync(request);
        response.EnsureSuccessStatusCode();
        return await response.Content.ReadFromJsonAsync<JsonObject>() ?? throw new InvalidOperationException("An empty answer.");
    }
}
