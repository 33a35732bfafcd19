using System.Net;
using System.Text.Json;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

/// <summary>The V1 protocol and MLflow's scoring server.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class ScoringTests(InferenceFixture services)
{
    // 0.01 · 100 + 2 · 1 + 1.25 + 3, and 0.01 · 500 where missing + 2 · 2 − 0.5 + 3.
    private static readonly float[] Expected = [7.25f, 11.5f];

    public static TheoryData<string> V1Bodies =>
    [
        """{"instances":[{"distance":100,"hour":1,"origin":"ATL"},{"origin":"ORD","hour":2,"distance":null}]}""",
        """{"signature_name":"serving_default","instances":[[100,1,"ATL"],[null,2,"ORD"]]}""",
    ];

    public static TheoryData<string> MlflowBodies =>
    [
        .. V1Bodies,
        """{"dataframe_split":{"index":[0,1],"columns":["origin","hour","distance"],"data":[["ATL",1,100],["ORD",2,null]]},"params":{"a":1}}""",
        """{"dataframe_split":{"data":[["ATL",1,100],["ORD",2,null]],"columns":["origin","hour","distance"]}}""",
        """{"dataframe_records":[{"distance":100,"hour":1,"origin":"ATL"},{"origin":"ORD","hour":2}]}""",
        """{"inputs":{"distance":[100,null],"hour":[1,2],"origin":["ATL","ORD"]}}""",
        """{"inputs":{"distance":[[100],[null]],"hour":[[1],[2]],"origin":[["ATL"],["ORD"]]}}""",
        """{"inputs":[[100,1,"ATL"],[null,2,"ORD"]]}""",
    ];

    [ServerTheory]
    [MemberData(nameof(V1Bodies))]
    public async Task V1_predicts_from_instances(string body)
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        foreach (var path in (string[])[$"v1/models/{model}:predict", $"v1/models/{model}/versions/1:predict"])
        {
            var reply = await services.Http.PostJsonAsync(path, body);
            Assert.Equal(HttpStatusCode.OK, reply.Status);
            Assert.Equal(Expected, PredictionsOf(reply));
            Assert.Equal("1", reply.Header("x-mlops-model-version"));
        }
    }

    [ServerTheory]
    [MemberData(nameof(MlflowBodies))]
    public async Task Invocations_take_each_form_of_mlflow(string body)
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        var reply = await services.Http.PostJsonAsync("invocations", body, ("x-mlops-model", model));

        Assert.Equal(HttpStatusCode.OK, reply.Status);
        Assert.Equal(Expected, PredictionsOf(reply));
    }

    [ServerFact]
    public async Task Bare_values_are_the_rows_of_a_single_input()
    {
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);

        var reply = await services.Http.PostJsonAsync($"v1/models/{model}:predict", """{"instances":[1,2.5]}""");

        Assert.Equal([2f, 5f], PredictionsOf(reply));
    }

    [ServerTheory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("{\"instances\":{}}")]
    [InlineData("{\"instances\":[]}")]
    [InlineData("{\"instances\":[1]}")]
    [InlineData("{\"instances\":[[1,2]]}")]
    [InlineData("{\"instances\":[[1,2,\"a\",4]]}")]
    [InlineData("{\"instances\":[{\"distance\":1}]}")]
    [InlineData("{\"instances\":[{\"distance\":1,\"distance\":2,\"hour\":1,\"origin\":\"a\"}]}")]
    [InlineData("{\"instances\":[[1,2,\"a\"]],\"instances\":[[1,2,\"a\"]]}")]
    [InlineData("{\"instances\":[[1,2,[\"a\"]]]}")]
    [InlineData("{\"instances\":[[\"1\",2,\"a\"]]}")]
    [InlineData("{\"instances\":[[1,2,\"\\ud800\"]]}")]
    [InlineData("{\"instances\":[[1,2,\"a\"]]} x")]
    [InlineData("{\"instances\":[[1,2,\"a\"")]
    public async Task What_is_not_of_the_form_is_400_in_the_words_of_each_protocol(string body)
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        var v1 = await services.Http.PostJsonAsync($"v1/models/{model}:predict", body);
        var mlflow = await services.Http.PostJsonAsync("invocations", body, ("x-mlops-model", model));

        Assert.Equal(HttpStatusCode.BadRequest, v1.Status);
        Assert.NotEmpty(v1.Json.GetProperty("error").GetString()!);
        Assert.Equal(HttpStatusCode.BadRequest, mlflow.Status);
        Assert.Equal("BAD_REQUEST", mlflow.Json.GetProperty("error_code").GetString());
        Assert.NotEmpty(mlflow.Json.GetProperty("message").GetString()!);
    }

    [ServerFact]
    public async Task Both_say_what_is_ready_and_what_does_not_exist()
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        await services.Http.PostJsonAsync($"v1/models/{model}:predict", """{"instances":[[1,2,"a"]]}""");
        await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        using var ready = JsonDocument.Parse(await services.Http.GetStringAsync(new Uri($"v1/models/{model}", UriKind.Relative)));
        using var ping = await services.Http.GetAsync(new Uri("ping", UriKind.Relative));
        using var unknown = await services.Http.GetAsync(new Uri("v1/models/no-such-model", UriKind.Relative));
        var v1 = await services.Http.PostJsonAsync("v1/models/no-such-model:predict", """{"instances":[]}""");
        var mlflow = await services.Http.PostJsonAsync("invocations", """{"instances":[]}""", ("x-mlops-model", "no-such-model"));

        Assert.True(ready.RootElement.GetProperty("ready").GetBoolean());
        Assert.Equal(HttpStatusCode.OK, ping.StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, unknown.StatusCode);
        Assert.Contains("\"error\":", await unknown.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, v1.Status);
        Assert.NotEmpty(v1.Json.GetProperty("error").GetString()!);
        Assert.Equal("RESOURCE_DOES_NOT_EXIST", mlflow.Json.GetProperty("error_code").GetString());
    }

    [ServerFact]
    public async Task Invocations_without_a_name_go_to_the_configured_model_and_are_refused_where_there_are_several()
    {
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        await services.NewModelAsync(Graphs.Times(3), Graphs.TimesSignature);
        await using var replica = await services.StartInferenceAsync(
            services.NewFolder("replica"), more: ("Inference__InvocationsModel", model));
        using var http = new HttpClient { BaseAddress = replica.Http };

        var configured = await http.PostJsonAsync("invocations", """{"inputs":[4]}""");
        var unnamed = await services.Http.PostJsonAsync("invocations", """{"inputs":[4]}""");

        Assert.Equal([8f], PredictionsOf(configured));
        Assert.Equal(HttpStatusCode.BadRequest, unnamed.Status);
        Assert.Contains("x-mlops-model", unnamed.Json.GetProperty("message").GetString(), StringComparison.Ordinal);
    }

    private static float[] PredictionsOf(Reply reply) =>
        [.. reply.Json.GetProperty("predictions").EnumerateArray().Select(p => p.GetSingle())];
}
