using System.Net;
using System.Runtime.InteropServices;
using System.Text.Json;
using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Tables.V1;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.Explanations;

/// <summary>
/// Explanations over the wire. The model is 0.01 · distance + 2 · hour + 1.25 · [ATL] − 0.5 · [ORD] + 3, its training as
/// <see cref="Profiles.Delay"/> says: on average 500, 11.5, two of three ATL.
/// </summary>
[Collection(nameof(InferenceFixture))]
public sealed class ExplainedRequestTests(InferenceFixture services)
{
    private const double Bias = 5 + 23 + (1.25 * 2 / 3) - (0.5 / 3) + 3;
    private static readonly double[] Atlanta = [2, -7, 1.75 / 3];
    private static readonly double[] Chicago = [-1, 17, -1.75 * 2 / 3];
    private static readonly Tensor[] Two =
        [Tensor.Fp32("distance", 700, 400), Tensor.Fp32("hour", 8, 20), Tensor.Bytes("origin", "ATL", "ORD")];
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [ServerFact]
    public async Task The_protocols_tensors_bear_the_explanation_behind_the_outputs_over_rest_and_grpc()
    {
        var model = await NewModelAsync();
        var body = Tensor.ToJson(Two);
        var asked = body[..^1] + ""","parameters":{"explain":true,"other":1}}""";

        var rest = await services.Http.PostJsonAsync($"v2/models/{model}/infer", asked);
        var plain = await services.Http.PostJsonAsync($"v2/models/{model}/infer", body);
        var typed = await services.Tensors.ModelInferAsync(Asking(model, isRaw: false, new InferParameter { BoolParam = true }));
        var raw = await services.Tensors.ModelInferAsync(Asking(model, isRaw: true, new InferParameter { StringParam = "exact" }));

        Assert.Equal(HttpStatusCode.OK, rest.Status);
        var outputs = rest.Json.GetProperty("outputs");
        Assert.Equal(
            ["prediction", "explanation.contributions", "explanation.bias", "explanation.names"],
            outputs.EnumerateArray().Select(output => output.GetProperty("name").GetString()));
        Assert.Equal([2, 3], outputs[1].GetProperty("shape").EnumerateArray().Select(size => size.GetInt32()));
        Close([.. Atlanta, .. Chicago], Numbers(outputs[1].GetProperty("data")));
        Close([Bias, Bias], Numbers(outputs[2].GetProperty("data")));
        Assert.Equal(["distance", "hour", "origin"], outputs[3].GetProperty("data").EnumerateArray().Select(name => name.GetString()));
        var how = rest.Json.GetProperty("parameters");
        Assert.Equal("linear_shap", how.GetProperty("explanation_method").GetString());
        Assert.Equal("output", how.GetProperty("explanation_space").GetString());
        Assert.Equal(1, plain.Json.GetProperty("outputs").GetArrayLength());
        Assert.False(plain.Json.GetProperty("parameters").TryGetProperty("explanation_method", out _));
        Assert.Equal(Numbers(outputs[1].GetProperty("data")), typed.Outputs[1].Contents.Fp64Contents);
        Assert.Equal(Numbers(outputs[1].GetProperty("data")), MemoryMarshal.Cast<byte, double>(raw.RawOutputContents[1].Span).ToArray());
        Assert.Equal(("prediction", "identity"), (typed.Parameters["explanation_output"].StringParam, raw.Parameters["explanation_link"].StringParam));
    }

    [ServerFact]
    public async Task Rows_are_explained_in_the_same_call_over_both_protocols_and_logged_as_predictions()
    {
        await using var log = await LoggedPredictions.ListenAsync(services.BusPrefix);
        var model = await NewModelAsync();

        var rest = await services.Http.PostJsonAsync($"v1/models/{model}/predict", """
            {"rows":[{"distance":700,"hour":8,"origin":"ATL"},{"distance":400,"hour":20,"origin":"ORD"}],"explain":true}
            """);
        var grpc = await services.Entities.PredictAsync(new PredictRequest { Model = model, Rows = Rows(), Explain = new ExplainOptions() });

        var rows = rest.Json.GetProperty("explanation").GetProperty("rows");
        Close(Atlanta, [.. rows[0].GetProperty("contributions").EnumerateObject().Select(one => one.Value.GetDouble())]);
        Close(Chicago, [.. rows[1].GetProperty("contributions").EnumerateObject().Select(one => one.Value.GetDouble())]);
        Assert.Equal(Bias, rows[0].GetProperty("bias").GetDouble(), 1e-4);
        Assert.Equal(["distance", "hour", "origin"], grpc.Explanation.Contributions.Columns.Select(column => column.Name));
        for (var row = 0; row < 2; row++)
        {
            Assert.Equal(
                rows[row].GetProperty("contributions").EnumerateObject().Select(one => one.Value.GetDouble()),
                grpc.Explanation.Contributions.Columns.Select(column => column.Doubles.Values[row]));
            // Additivity, in the answer's own words.
            var sum = grpc.Explanation.Bias[row] + grpc.Explanation.Contributions.Columns.Sum(column => column.Doubles.Values[row]);
            Assert.Equal(grpc.Outputs.Columns[0].Doubles.Values[row], sum, 1e-5 * Math.Abs(sum));
        }

        await Eventually.Async(
            () => log.Ids.Contains(rest.Header("x-mlops-prediction-id")!) && log.Ids.Contains(grpc.PredictionId), Deadline, "both are logged");
    }

    [ServerFact]
    public async Task An_explanation_alone_is_no_prediction_in_log_and_counts()
    {
        var prefix = InferenceFixture.NewName("explain");
        await using var log = await LoggedPredictions.ListenAsync(prefix);
        await using var replica = await services.StartInferenceAsync(services.NewFolder("explain"), prefix);
        using var http = new HttpClient { BaseAddress = replica.Http };
        var entities = new InferenceService.InferenceServiceClient(services.Channel(replica.Grpc));
        var model = await NewModelAsync();

        var v1 = await http.PostJsonAsync($"v1/models/{model}:explain", """{"instances":[{"distance":700,"hour":8,"origin":"ATL"}]}""");
        var chosen = await http.PostJsonAsync(
            $"v1/models/{model}/versions/1:explain", """{"instances":[{"distance":700,"hour":8,"origin":"ATL"}],"explain":{"method":"sampling","samples":4,"seed":7}}""");
        var rows = await http.PostJsonAsync($"v1/models/{model}/explain", """{"rows":[{"distance":2000,"hour":8,"origin":"ATL"}]}""");
        var grpc = await entities.ExplainAsync(new ExplainRequest { Model = model, Version = "1", Rows = Rows() });
        var refused = await http.PostJsonAsync($"v1/models/{model}/explain", """{"rows":[{"hour":8,"origin":"ATL"}],"explain":{"samples":-1}}""");
        var predicted = await http.PostJsonAsync($"v1/models/{model}:predict", """{"instances":[{"distance":700,"hour":8,"origin":"ATL"}]}""");

        Close(Atlanta, [.. v1.Json.GetProperty("explanations")[0].GetProperty("contributions").EnumerateObject().Select(one => one.Value.GetDouble())]);
        Assert.Equal("linear_shap", v1.Json.GetProperty("method").GetString());
        Assert.Equal(predicted.Json.GetProperty("predictions")[0].GetDouble(), v1.Json.GetProperty("predictions")[0].GetDouble());
        Assert.Equal(("sampling_shap", 4, 7), (
            chosen.Json.GetProperty("method").GetString(), chosen.Json.GetProperty("samples").GetInt32(), chosen.Json.GetProperty("seed").GetInt32()));
        Assert.Equal("range:distance", rows.Header("x-mlops-flags"));
        Assert.Null(rows.Header("x-mlops-prediction-id"));
        Assert.False(rows.Json.TryGetProperty("prediction_id", out _));
        Assert.Equal(2, grpc.Outputs.Columns[0].Doubles.Values.Count);
        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        using var stats = JsonDocument.Parse(await http.GetStringAsync(new Uri($"v2/models/{model}/versions/1/stats", UriKind.Relative)));
        Assert.Equal(1, stats.RootElement.GetProperty("model_stats")[0].GetProperty("inference_count").GetInt64());
        Assert.Equal(0, await replica.StopAsync());
        await Eventually.Async(() => log.Records.Count > 0, Deadline, "the prediction is logged");
        Assert.Equal([predicted.Header("x-mlops-prediction-id")!], log.Ids);
    }

    [ServerFact]
    public async Task The_explanation_is_of_the_version_that_answers()
    {
        var model = InferenceFixture.NewName("fallback");
        await using var replica = await services.StartInferenceAsync(
            services.NewFolder("explain"), InferenceFixture.NewName("explain"), more:
            [
                ($"Inference__Models__{model}__Guard__Range", "Fallback"), ($"Inference__Models__{model}__Guard__Version", "1"),
            ]);
        using var http = new HttpClient { BaseAddress = replica.Http };
        await services.RegisterAsync(model, Graphs.Delay(slope: 31.25), Graphs.DelaySignature, profile: Profiles.Delay.ToJson());
        await services.RegisterAsync(model, Graphs.Delay(), Graphs.DelaySignature, profile: Profiles.Delay.ToJson());

        var reply = await http.PostJsonAsync(
            $"v1/models/{model}/versions/2/predict", """{"rows":[{"distance":2000,"hour":8,"origin":"ATL"}],"explain":"exact"}""");

        var explained = reply.Json.GetProperty("explanation").GetProperty("rows")[0];
        Assert.Equal("1", reply.Json.GetProperty("version").GetString());
        Assert.Equal(
            reply.Json.GetProperty("predictions")[0].GetDouble(),
            explained.GetProperty("bias").GetDouble() + explained.GetProperty("contributions").EnumerateObject().Sum(one => one.Value.GetDouble()), 1e-3);
        Assert.Equal(31.75 / 3, explained.GetProperty("contributions").GetProperty("origin").GetDouble(), 1e-3);
    }

    [ServerFact]
    public async Task Trees_are_explained_exactly_and_anything_else_by_sampling_beside_a_background()
    {
        var (trees, odd) = (SampleModels.Named("trees export"), SampleModels.Named("a front of its own"));
        var exact = await services.NewModelAsync(trees.Onnx, trees.Signature);
        var sampled = await services.NewModelAsync(odd.Onnx, odd.Signature);
        const string Row = """{"distance":0.5,"hour":-1,"origin":"ATL","wind":null,"carrier":"AA"}""";

        var tree = await services.Http.PostJsonAsync($"v1/models/{exact}/predict", $$"""{"rows":[{{Row}}],"explain":"exact"}""");
        var bare = await services.Http.PostJsonAsync($"v2/models/{sampled}/infer", Wide("""{"explain":"auto"}"""));
        var refused = await services.Http.PostJsonAsync($"v2/models/{sampled}/infer", Wide("""{"explain":"exact"}"""));

        var explained = tree.Json.GetProperty("explanation");
        Assert.Equal("tree_shap", explained.GetProperty("method").GetString());
        var row = explained.GetProperty("rows")[0];
        var sum = row.GetProperty("bias").GetDouble() + row.GetProperty("contributions").EnumerateObject().Sum(one => one.Value.GetDouble());
        Assert.Equal(tree.Json.GetProperty("predictions")[0].GetDouble(), sum, 1e-5 * Math.Max(1, Math.Abs(sum)));
        Assert.Equal(HttpStatusCode.BadRequest, bare.Status);
        Assert.Contains("Give a background", bare.Json.GetRawText(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, refused.Status);
        Assert.Contains("no exact explanation", refused.Json.GetRawText(), StringComparison.Ordinal);

        var profiled = await services.NewModelAsync(odd.Onnx, odd.Signature, profile: new Numerics.Profiles.ReferenceProfile
        {
            Features = [.. Enumerable.Range(0, 3).Select(at => Numerics.Profiles.FeatureProfile.Numeric($"x[{at}]", [-1d, 0, 1]))],
        }.ToJson());
        var (first, again, other) = (await SampledAsync(1), await SampledAsync(1), await SampledAsync(2));
        Assert.Equal("sampling_shap", first.Json.GetProperty("parameters").GetProperty("explanation_method").GetString());
        Assert.Equal(5, first.Json.GetProperty("outputs").GetArrayLength());
        Assert.Equal("explanation.standard_errors", first.Json.GetProperty("outputs")[4].GetProperty("name").GetString());
        Assert.Equal(Contributions(first), Contributions(again));
        Assert.NotEqual(Contributions(first), Contributions(other));

        Task<Reply> SampledAsync(int seed) => services.Http.PostJsonAsync(
            $"v2/models/{profiled}/infer", Wide($$"""{"explain":true,"explain_samples":16,"explain_seed":{{seed}},"explain_output":"y"}"""));
    }

    [ServerTheory]
    [InlineData("""{"explain":1}""", "explain")]
    [InlineData("""{"explain":"sometimes"}""", "auto, exact or sampling")]
    [InlineData("""{"explain_seed":1}""", "explain_seed")]
    [InlineData("""{"explain":true,"explain_samples":"many"}""", "explain_samples")]
    [InlineData("""{"explain":true,"explain_samples":100001}""", "samples")]
    [InlineData("""{"explain":true,"explain_seed":9999999999}""", "explain_seed")]
    [InlineData("""{"explain":true,"explain_output":"origin"}""", "'origin' is not an output")]
    public async Task Parameters_that_cannot_be_are_refused_and_named(string parameters, string rule)
    {
        var model = await NewModelAsync();

        var reply = await services.Http.PostJsonAsync($"v2/models/{model}/infer", Tensor.ToJson(Two)[..^1] + $",\"parameters\":{parameters}}}");

        Assert.Equal(HttpStatusCode.BadRequest, reply.Status);
        Assert.Contains(rule, reply.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
    }

    [ServerTheory]
    [InlineData("""{"rows":[{"distance":1,"hour":1,"origin":"ATL"}],"explain":5}""", "'explain' must be")]
    [InlineData("""{"rows":[{"distance":1,"hour":1,"origin":"ATL"}],"explain":{"metod":"exact"}}""", "'explain.metod' is not known")]
    [InlineData("""{"rows":[{"distance":1,"hour":1,"origin":"ATL"}],"explain":{"seed":1.5}}""", "'explain.seed'")]
    [InlineData("""{"rows":[{"distance":1,"hour":1,"origin":"ATL"}],"explain":{"background":[{"hour":1}]}}""", "distance")]
    public async Task Options_that_cannot_be_are_refused_and_named(string body, string rule)
    {
        var model = await NewModelAsync();

        var reply = await services.Http.PostJsonAsync($"v1/models/{model}/predict", body);

        Assert.Equal(HttpStatusCode.BadRequest, reply.Status);
        Assert.Contains(rule, reply.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task More_rows_than_the_settings_allow_are_refused_over_grpc_too()
    {
        var model = await NewModelAsync();
        var request = Tensor.ToRequest(model, isRaw: true,
        [
            Tensor.Fp32("distance", new float[257]), Tensor.Fp32("hour", new float[257]), Tensor.Bytes("origin", [.. Enumerable.Repeat("ATL", 257)]),
        ]);
        request.Parameters["explain"] = new InferParameter { BoolParam = true };

        var refused = await Assert.ThrowsAsync<RpcException>(() => services.Tensors.ModelInferAsync(request).ResponseAsync);

        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Contains("may have 256 rows, not 257", refused.Status.Detail, StringComparison.Ordinal);
    }

    private Task<string> NewModelAsync() => services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature, profile: Profiles.Delay.ToJson());

    private static ModelInferRequest Asking(string model, bool isRaw, InferParameter explain)
    {
        var request = Tensor.ToRequest(model, isRaw, Two);
        request.Parameters["explain"] = explain;
        return request;
    }

    private static Table Rows() => new()
    {
        Columns =
        {
            new Column { Name = "distance", Doubles = new() { Values = { 700, 400 } } },
            new Column { Name = "hour", Doubles = new() { Values = { 8, 20 } } },
            new Column { Name = "origin", Texts = new() { Values = { "ATL", "ORD" } } },
        },
    };

    private static string Wide(string parameters) =>
        Tensor.ToJson([new Tensor("x", "FP32", [1, 3], 0.5f, -0.25f, 1f)])[..^1] + $",\"parameters\":{parameters}}}";

    private static double[] Contributions(Reply reply) => Numbers(reply.Json.GetProperty("outputs")[1].GetProperty("data"));

    private static double[] Numbers(JsonElement array) => [.. array.EnumerateArray().Select(number => number.GetDouble())];

    private static void Close(double[] expected, double[] actual) => Assert.Equal(expected, actual, (a, b) => Math.Abs(a - b) <= 1e-4);
}
