using System.Net;
using System.Text.Json;
using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

[Collection(nameof(InferenceFixture))]
public sealed class PredictTests(InferenceFixture services)
{
    [ServerFact]
    public async Task Features_come_from_one_lookup_and_both_protocols_agree_to_the_bit()
    {
        var (app, peer) = await FeaturePeer.StartAsync(services.FeaturePort);
        await using var running = app;
        var model = await NewModelAsync();

        var rest = await services.Http.PostJsonAsync($"v1/models/{model}/predict", """
            {"rows":[{"origin":"ATL","distance":719},{"origin":"ORD","distance":100.5},{"origin":"ORD"}],"include_features":true}
            """, ("x-mlops-variant", "blue"));
        var callsOfOneRequest = peer.Calls;
        var grpc = await services.Entities.PredictAsync(new PredictRequest
        {
            Model = model,
            IncludeFeatures = true,
            Rows = new Table
            {
                Columns =
                {
                    new Column { Name = "origin", Texts = new TextValues { Values = { "ATL", "ORD", "ORD" } } },
                    new Column { Name = "distance", Doubles = new DoubleValues { Values = { 719, 100.5, double.NaN } } },
                },
            },
        });

        Assert.Equal(HttpStatusCode.OK, rest.Status);
        Assert.Equal(1, callsOfOneRequest);
        var values = rest.Json.GetProperty("predictions").EnumerateArray().Select(v => v.GetDouble()).ToArray();
        Assert.Equal(grpc.Outputs.Columns.Single().Doubles.Values, values);
        Assert.Equal(27.44, values[0], 1e-4);
        Assert.Equal(38.505, values[1], 1e-4);
        Assert.Equal(42.5, values[2], 1e-4);
        Assert.Equal("1", rest.Json.GetProperty("version").GetString());
        Assert.Equal("blue", rest.Json.GetProperty("variant").GetString());
        Assert.Equal(32, rest.Json.GetProperty("prediction_id").GetString()?.Length);
        var features = rest.Json.GetProperty("features");
        Assert.Equal(17.5, features[1].GetProperty("hour").GetDouble());
        Assert.Equal(JsonValueKind.Null, features[2].GetProperty("distance").ValueKind);
        Assert.Equal(["request", "online", "request"], grpc.Origins.Select(o => o.Source));
        var hour = grpc.Origins.Single(o => o.Name == "hour");
        Assert.Equal(["PRESENT", "PRESENT", "PRESENT"], hour.Statuses);
        Assert.All(hour.EventTimeMicros, at => Assert.Equal(FeaturePeer.EventTime, at));
    }

    [ServerFact]
    public async Task Columns_of_the_request_win_over_stored_features()
    {
        var (app, peer) = await FeaturePeer.StartAsync(services.FeaturePort);
        await using var running = app;
        var model = await NewModelAsync();

        var reply = await services.Http.PostJsonAsync(
            $"v1/models/{model}/versions/1/predict", """{"rows":[{"origin":"ATL","distance":100,"hour":1}]}""");

        Assert.Equal(7.25, reply.Json.GetProperty("predictions")[0].GetDouble(), 1e-4);
        Assert.Equal(0, peer.Calls);
        Assert.False(reply.Json.TryGetProperty("features", out _));
    }

    [ServerTheory]
    [InlineData("NIL", "NULL_VALUE")]
    [InlineData("OLD", "OUTSIDE_MAX_AGE")]
    [InlineData("XXX", "NOT_FOUND")]
    public async Task A_missing_feature_that_must_not_be_is_named_with_its_status(string origin, string status)
    {
        var (app, _) = await FeaturePeer.StartAsync(services.FeaturePort);
        await using var running = app;
        var model = await NewModelAsync();

        var rest = await services.Http.PostJsonAsync(
            $"v1/models/{model}/predict", $$"""{"rows":[{"origin":"ATL"},{"origin":"{{origin}}"}]}""");
        var grpc = await Assert.ThrowsAsync<RpcException>(() => services.Entities.PredictAsync(new PredictRequest
        {
            Model = model,
            Rows = new Table
            {
                Columns =
                {
                    new Column { Name = "origin", Texts = new TextValues { Values = { "ATL", origin } } },
                    new Column { Name = "distance", Doubles = new DoubleValues { Values = { 1, 2 } } },
                },
            },
        }).ResponseAsync);

        Assert.Equal(HttpStatusCode.BadRequest, rest.Status);
        Assert.Equal(StatusCode.InvalidArgument, grpc.StatusCode);
        Assert.Contains($"hour: must not be missing; the online store says {status} (row 1)", grpc.Status.Detail, StringComparison.Ordinal);
        Assert.Contains("distance: is neither in the request nor a feature", rest.Json.GetProperty("detail").GetString(), StringComparison.Ordinal);
    }

    [ServerTheory]
    [InlineData("""{}""")]
    [InlineData("""{"rows":[]}""")]
    [InlineData("""{"rows":[{}]}""")]
    [InlineData("""{"rows":[1]}""")]
    [InlineData("""{"rows":[{"origin":"ATL"}],"else":1}""")]
    [InlineData("""{"rows":[{"origin":"ATL","origin":"ATL","distance":1,"hour":1}]}""")]
    [InlineData("""{"rows":[{"origin":"ATL","distance":1,"hour":1},{"origin":5,"distance":1,"hour":1}]}""")]
    [InlineData("""{"rows":[{"\ud800":1,"origin":"ATL","distance":1,"hour":1}]}""")]
    [InlineData("""{"rows":[{"origin":["ATL"],"distance":1,"hour":1}]}""")]
    [InlineData("""{"rows":[{"origin":5,"distance":1,"hour":1}]}""")]
    [InlineData("""{"rows":[{"origin":"ATL","distance":"far","hour":1}]}""")]
    [InlineData("""{"rows":[{"origin":"ATL","distance":1e39,"hour":1}]}""")]
    [InlineData("""{"rows":[{"origin":"ATL","distance":1e999,"hour":1}]}""")]
    [InlineData("""{"rows":[{"origin":"ATL","distance":1,"hour":null}]}""")]
    public async Task Rows_that_do_not_fit_are_400(string body)
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        var reply = await services.Http.PostJsonAsync($"v1/models/{model}/predict", body);

        Assert.Equal(HttpStatusCode.BadRequest, reply.Status);
        Assert.NotEmpty(reply.Json.GetProperty("detail").GetString()!);
    }

    [ServerFact]
    public async Task Without_the_feature_store_only_predictions_that_need_it_fail()
    {
        var model = await NewModelAsync();

        var rest = await services.Http.PostJsonAsync($"v1/models/{model}/predict", """{"rows":[{"origin":"ATL","distance":1}]}""");
        var grpc = await Assert.ThrowsAsync<RpcException>(() => services.Entities.PredictAsync(new PredictRequest
        {
            Model = model,
            Rows = new Table { Columns = { new Column { Name = "origin", Texts = new TextValues { Values = { "ATL" } } } } },
        }).ResponseAsync);
        var tensors = await services.Http.PostJsonAsync($"v2/models/{model}/infer", Tensor.ToJson(
            [Tensor.Fp32("distance", 1), Tensor.Fp32("hour", 1), Tensor.Bytes("origin", "ATL")]));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, rest.Status);
        Assert.Equal(StatusCode.Unavailable, grpc.StatusCode);
        Assert.Equal(HttpStatusCode.OK, tensors.Status);
    }

    private Task<string> NewModelAsync() =>
        services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature, FeaturePeer.Service);
}
