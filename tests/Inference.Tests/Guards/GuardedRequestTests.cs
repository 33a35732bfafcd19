using System.Net;
using System.Text.Json;
using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Tables.V1;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.Guards;

/// <summary>The guard over the wire: what callers and the log are told, and who answers.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class GuardedRequestTests(InferenceFixture services)
{
    private const string Strange = "range:distance,category:origin";
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [ServerFact]
    public async Task What_is_unlike_training_is_told_over_every_surface_in_the_log_and_in_the_counts()
    {
        await using var log = await LoggedPredictions.ListenAsync(services.BusPrefix);
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature, profile: Profiles.Delay.ToJson());
        var ids = new List<string?>();
        void Take(Reply reply, string? body)
        {
            Assert.Equal(HttpStatusCode.OK, reply.Status);
            Assert.Equal(Strange, reply.Header("x-mlops-flags"));
            Assert.Equal(Strange, body);
            ids.Add(reply.Header("x-mlops-prediction-id"));
        }

        var infer = await services.Http.PostJsonAsync($"v2/models/{model}/infer", Tensor.ToJson(Tensors(2000, "DTW")));
        Take(infer, infer.Json.GetProperty("parameters").GetProperty("flags").GetString());
        var instances = await services.Http.PostJsonAsync(
            $"v1/models/{model}:predict", """{"instances":[{"distance":2000,"hour":1,"origin":"DTW"}]}""");
        Take(instances, Strange);
        var invocations = await services.Http.PostJsonAsync(
            "invocations", """{"inputs":{"distance":[2000],"hour":[1],"origin":["DTW"]}}""", ("x-mlops-model", model));
        Take(invocations, Strange);
        var rows = await services.Http.PostJsonAsync(
            $"v1/models/{model}/predict", """{"rows":[{"distance":2000,"hour":1,"origin":"DTW"}]}""");
        Take(rows, string.Join(',', rows.Json.GetProperty("flags").EnumerateArray().Select(flag => flag.GetString())));
        var tensors = await services.Tensors.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, Tensors(2000, "DTW")));
        Assert.Equal(Strange, tensors.Parameters["flags"].StringParam);
        ids.Add(tensors.Parameters["prediction_id"].StringParam);
        var entities = await services.Entities.PredictAsync(new PredictRequest { Model = model, Rows = Row(2000, "DTW") });
        Assert.Equal(["range:distance", "category:origin"], entities.Flags);
        ids.Add(entities.PredictionId);

        var plain = await services.Http.PostJsonAsync($"v2/models/{model}/infer", Tensor.ToJson(Tensors(500, "ATL")));
        Assert.Null(plain.Header("x-mlops-flags"));
        Assert.False(plain.Json.GetProperty("parameters").TryGetProperty("flags", out _));

        await Eventually.Async(() => ids.All(id => log.Ids.Contains(id)), Deadline, "the answers are logged");
        Assert.All(ids, id => Assert.Equal(["range:distance", "category:origin"], RecordOf(log, id).Flags));
        var served = (await services.Entities.ListModelsAsync(new ListModelsRequest())).Models.Single(m => m.Name == model);
        Assert.Equal(
            [("range", "pass", 1L), ("range", "flag", 6), ("category", "pass", 1), ("category", "flag", 6), ("missing", "pass", 7)],
            served.Decisions.Select(d => (d.Check, d.Decision_, d.Count)));
        using var stats = JsonDocument.Parse(await services.Http.GetStringAsync(new Uri($"v2/models/{model}/versions/1/stats", UriKind.Relative)));
        Assert.Contains(
            stats.RootElement.GetProperty("model_stats")[0].GetProperty("guard_stats").EnumerateArray(),
            count => count.GetProperty("check").GetString() == "range" && count.GetProperty("decision").GetString() == "flag"
                && count.GetProperty("count").GetInt64() == 6);
    }

    [ServerFact]
    public async Task A_refusal_names_input_and_rule_and_is_a_failure_in_the_log()
    {
        var (prefix, model) = (InferenceFixture.NewName("guard"), InferenceFixture.NewName("strict"));
        await using var log = await LoggedPredictions.ListenAsync(prefix);
        await using var replica = await services.StartInferenceAsync(
            services.NewFolder("guard"), prefix, more: ($"Inference__Models__{model}__Guard__Range", "Reject"));
        using var http = new HttpClient { BaseAddress = replica.Http };
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(services.Channel(replica.Grpc));
        await services.RegisterAsync(model, Graphs.Delay(), Graphs.DelaySignature, profile: Profiles.Delay.ToJson());

        var rest = await http.PostJsonAsync(
            $"v1/models/{model}/predict", """{"rows":[{"distance":1,"hour":1,"origin":"DTW"},{"distance":-3,"hour":1,"origin":"ATL"}]}""");
        var grpc = await Assert.ThrowsAsync<RpcException>(
            () => client.ModelInferAsync(Tensor.ToRequest(model, isRaw: false, Tensors(1001, "ATL"))).ResponseAsync);
        var within = await http.PostJsonAsync($"v2/models/{model}/infer", Tensor.ToJson(Tensors(1, "ATL")));

        Assert.Equal(HttpStatusCode.BadRequest, rest.Status);
        Assert.Equal("INPUT_UNLIKE_TRAINING", rest.Json.GetProperty("code").GetString());
        Assert.Contains("distance: is below the range of training, 0 to 1000 (row 1)", rest.Json.GetRawText(), StringComparison.Ordinal);
        Assert.Equal(StatusCode.InvalidArgument, grpc.StatusCode);
        Assert.Contains("distance: is above the range of training, 0 to 1000 (row 0)", grpc.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, within.Status);
        Assert.Equal(0, await replica.StopAsync());
        await Eventually.Async(() => log.Records.Count == 3, Deadline, "all is logged");
        Assert.Equal(
            [("", ""), ("INPUT_UNLIKE_TRAINING", "range:distance"), ("INPUT_UNLIKE_TRAINING", "range:distance,category:origin")],
            log.Records.Select(r => (r.Failure, string.Join(',', r.Flags))).Order());
    }

    [ServerFact]
    public async Task Another_version_answers_what_is_unlike_training_and_says_for_which()
    {
        var (prefix, model) = (InferenceFixture.NewName("guard"), InferenceFixture.NewName("careful"));
        await using var log = await LoggedPredictions.ListenAsync(prefix);
        await using var replica = await services.StartInferenceAsync(
            services.NewFolder("guard"), prefix, more:
            [
                ($"Inference__Models__{model}__Guard__Range", "Fallback"), ($"Inference__Models__{model}__Guard__Version", "robust"),
            ]);
        using var http = new HttpClient { BaseAddress = replica.Http };
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(services.Channel(replica.Grpc));
        var profile = Profiles.Delay.ToJson();
        await services.RegisterAsync(model, Graphs.Delay(slope: 100), Graphs.DelaySignature, profile: profile);
        await services.RegisterAsync(model, Graphs.Delay(slope: 200), Graphs.DelaySignature, profile: profile);
        await services.SetAliasAsync(model, "robust", 1);

        var within = await http.PostJsonAsync($"v2/models/{model}/versions/2/infer", Tensor.ToJson(Tensors(100, "ATL")));
        var rest = await http.PostJsonAsync($"v2/models/{model}/versions/2/infer", Tensor.ToJson(Tensors(2000, "ATL")));
        var grpc = await client.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, Tensors(2000, "ATL")).At("2"));
        var own = await http.PostJsonAsync($"v2/models/{model}/versions/1/infer", Tensor.ToJson(Tensors(2000, "ATL")));

        Assert.Equal(("2", 206d), (within.Json.GetProperty("model_version").GetString(), Answer(within)));
        Assert.Equal(("1", 125d), (rest.Json.GetProperty("model_version").GetString(), Answer(rest)));
        Assert.Equal("1", rest.Header("x-mlops-model-version"));
        Assert.Equal("range:distance,fallback:2", rest.Header("x-mlops-flags"));
        Assert.Equal(("1", "range:distance,fallback:2"), (grpc.ModelVersion, grpc.Parameters["flags"].StringParam));
        Assert.Equal("range:distance", own.Header("x-mlops-flags"));
        Assert.Equal(0, await replica.StopAsync());
        await Eventually.Async(() => log.Records.Count == 4, Deadline, "all is logged, once each");
        Assert.Equal(
            [("1", "range:distance"), ("1", "range:distance,fallback:2"), ("1", "range:distance,fallback:2"), ("2", "")],
            log.Records.Select(r => (r.Version, string.Join(',', r.Flags))).Order());
        Assert.All(log.Records, record => Assert.Equal("", record.Failure));
    }

    [ServerFact]
    public async Task A_version_that_cannot_stand_in_is_a_clear_error()
    {
        var (model, lost) = (InferenceFixture.NewName("unfit"), InferenceFixture.NewName("lost"));
        await using var replica = await services.StartInferenceAsync(
            services.NewFolder("guard"), InferenceFixture.NewName("guard"), more:
            [
                ("Inference__Defaults__Guard__Range", "Fallback"), ("Inference__Defaults__Guard__Version", "1"),
                ($"Inference__Models__{lost}__Guard__Version", "nowhere"),
            ]);
        using var http = new HttpClient { BaseAddress = replica.Http };
        await services.RegisterAsync(model, Graphs.Times(2), Graphs.TimesSignature);
        await services.RegisterAsync(model, Graphs.Delay(), Graphs.DelaySignature, profile: Profiles.Delay.ToJson());
        await services.RegisterAsync(lost, Graphs.Delay(), Graphs.DelaySignature, profile: Profiles.Delay.ToJson());

        var unfit = await http.PostJsonAsync($"v2/models/{model}/versions/2/infer", Tensor.ToJson(Tensors(2000, "ATL")));
        var unavailable = await http.PostJsonAsync($"v1/models/{lost}/predict", """{"rows":[{"distance":2000,"hour":1,"origin":"ATL"}]}""");

        Assert.Equal(HttpStatusCode.Conflict, unfit.Status);
        Assert.Contains("needs input 'x'", unfit.Json.GetRawText(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.ServiceUnavailable, unavailable.Status);
        Assert.Contains("nowhere", unavailable.Json.GetRawText(), StringComparison.Ordinal);
    }

    private static Tensor[] Tensors(float distance, string origin) =>
        [Tensor.Fp32("distance", distance), Tensor.Fp32("hour", 1), Tensor.Bytes("origin", origin)];

    private static Table Row(double distance, string origin) => new()
    {
        Columns =
        {
            new Column { Name = "distance", Doubles = new DoubleValues { Values = { distance } } },
            new Column { Name = "hour", Doubles = new DoubleValues { Values = { 1 } } },
            new Column { Name = "origin", Texts = new TextValues { Values = { origin } } },
        },
    };

    private static double Answer(Reply reply) => reply.Json.GetProperty("outputs")[0].GetProperty("data")[0].GetDouble();

    private static PredictionRecord RecordOf(LoggedPredictions log, string? id) =>
        log.Records.Single(record => Convert.ToHexStringLower(record.PredictionId.Span) == id);
}

file static class Requests
{
    public static ModelInferRequest At(this ModelInferRequest request, string version)
    {
        request.ModelVersion = version;
        return request;
    }
}
