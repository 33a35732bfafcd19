using System.Net;
using System.Text.Json;
using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.Guards;

/// <summary>
/// What becomes of a looked-up <c>hour</c> that is missing (NIL, XXX) or stale (OLD by the store; ATL and ORD are of 2001).
/// Answers are 2 · hour + 1.25 · [ATL] − 0.5 · [ORD] + 3, the distance being 0.
/// </summary>
[Collection(nameof(InferenceFixture))]
public sealed class FeaturePolicyTests(InferenceFixture services)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    [ServerFact]
    public async Task A_default_stands_in_and_the_answer_says_where()
    {
        await using var running = (await FeaturePeer.StartAsync(services.FeaturePort)).App;
        var model = InferenceFixture.NewName("default");
        await using var replica = await StartAsync(
            model, ("WhenMissing", "Fail"), ("Inputs__hour__WhenMissing", "Default"), ("Inputs__hour__Default", "7"),
            ("Inputs__hour__WhenStale", "Default"));
        await RegisterAsync(model);

        var answer = await PredictAsync(replica, new PredictRequest { Model = model, IncludeFeatures = true, Rows = Rows("ORD", "XXX", "OLD", "NIL") });

        Assert.Equal([37.5, 17, 17, 17], answer.Outputs.Columns.Single().Doubles.Values.Select(v => Math.Round(v, 4)));
        Assert.Equal(["missing:hour", "default:hour", "stale:hour", "category:origin"], answer.Flags);
        var hour = answer.Origins.Single(origin => origin.Name == "hour");
        Assert.Equal(["PRESENT", "NOT_FOUND", "OUTSIDE_MAX_AGE", "NULL_VALUE"], hour.Statuses);
        Assert.Equal(["value", "default", "default", "default"], hour.Fills);
        Assert.Equal([17.5, 7, 7, 7], answer.Features.Columns.Single(column => column.Name == "hour").Doubles.Values);
        Assert.Equal(-1, hour.AgeMicros[1]);
        var old = (TimeProvider.System.GetUtcNow() - DateTimeOffset.UnixEpoch).TotalMicroseconds - FeaturePeer.EventTime;
        Assert.InRange(hour.AgeMicros[0], old - 600e6, old);
        Assert.Equal(
            [("feature_missing", "default", 1L), ("feature_stale", "default", 1)],
            (await DecisionsAsync(replica, model)).Where(d => d.Check.StartsWith("feature", StringComparison.Ordinal))
                .Select(d => (d.Check, d.Decision_, d.Count)));
    }

    [ServerFact]
    public async Task What_is_imputed_is_the_median_of_training_over_rest_too()
    {
        await using var running = (await FeaturePeer.StartAsync(services.FeaturePort)).App;
        var model = InferenceFixture.NewName("impute");
        await using var replica = await StartAsync(model, ("WhenMissing", "Impute"));
        using var http = new HttpClient { BaseAddress = replica.Http };
        await RegisterAsync(model);
        var bare = InferenceFixture.NewName("bare");
        await services.RegisterAsync(bare, Graphs.Delay(), Graphs.DelaySignature, FeaturePeer.Service);

        var reply = await http.PostJsonAsync(
            $"v1/models/{model}/predict", """{"rows":[{"origin":"XXX","distance":0},{"origin":"ATL","distance":0}],"include_features":true}""");

        Assert.Equal(HttpStatusCode.OK, reply.Status);
        Assert.Equal([26, 20.25], reply.Json.GetProperty("predictions").EnumerateArray().Select(v => Math.Round(v.GetDouble(), 4)));
        Assert.Equal("missing:hour,imputed:hour,category:origin", reply.Header("x-mlops-flags"));
        var origin = reply.Json.GetProperty("origins").EnumerateArray().Single(o => o.GetProperty("name").GetString() == "hour");
        Assert.Equal(["imputed", "value"], Texts(origin.GetProperty("fills")));
        Assert.Equal(11.5, reply.Json.GetProperty("features")[0].GetProperty("hour").GetDouble());
    }

    [ServerTheory]
    [InlineData("WhenMissing", "Fail", "NIL", 0, "must not be missing or stale, by the model's settings; the online store says NULL_VALUE (row 1)")]
    [InlineData("WhenStale", "Fail", "OLD", 0, "must not be missing or stale, by the model's settings; the online store says OUTSIDE_MAX_AGE (row 1)")]
    [InlineData("WhenMissing", "Impute", "NIL", 0, "cannot be imputed without a reference profile of it; the online store says NULL_VALUE (row 1)")]
    [InlineData("MaxAge", "1.00:00:00", "ORD", 0, "must not be missing; the online store says OUTSIDE_MAX_AGE (row 0)")]
    [InlineData("WhenStale", "Fail", "ORD", 3600, "must not be missing or stale, by the model's settings; the online store says OUTSIDE_MAX_AGE (row 0)")]
    public async Task What_cannot_be_filled_is_named_with_the_stores_word_and_the_row(string key, string value, string origin, long maxAge, string rule)
    {
        await using var running = (await FeaturePeer.StartAsync(services.FeaturePort)).App;
        var model = InferenceFixture.NewName("fail");
        await using var replica = await StartAsync(model, (key, value));
        await services.RegisterAsync(model, Graphs.Delay(), Graphs.DelaySignature, FeaturePeer.Service);

        var refused = await Assert.ThrowsAsync<RpcException>(
            () => PredictAsync(replica, new PredictRequest { Model = model, MaxAgeSeconds = maxAge, Rows = Rows("ATL", origin) }));

        Assert.Equal(StatusCode.InvalidArgument, refused.StatusCode);
        Assert.Contains($"hour: {rule}", refused.Status.Detail, StringComparison.Ordinal);
    }

    [ServerFact]
    public async Task A_version_that_does_without_the_feature_answers_in_its_place()
    {
        var (app, peer) = await FeaturePeer.StartAsync(services.FeaturePort);
        await using var running = app;
        var model = InferenceFixture.NewName("without");
        var prefix = InferenceFixture.NewName("policy");
        await using var log = await LoggedPredictions.ListenAsync(prefix);
        await using var replica = await services.StartInferenceAsync(
            services.NewFolder("policy"), prefix, more:
            [
                ($"Inference__Models__{model}__Features__WhenMissing", "Fallback"), ($"Inference__Models__{model}__Features__Version", "1"),
            ]);
        await services.RegisterAsync(model, Graphs.Distance(), Graphs.DistanceSignature);
        await RegisterAsync(model);

        var without = await PredictAsync(replica, new PredictRequest { Model = model, Version = "2", IncludeFeatures = true, Rows = Rows("ORD", "NIL") });
        var with = await PredictAsync(replica, new PredictRequest { Model = model, Version = "2", Rows = Rows("ORD") });

        Assert.Equal(("1", "2"), (without.Version, with.Version));
        Assert.Equal(["missing:hour", "fallback:2"], without.Flags);
        Assert.Equal(["distance"], without.Features.Columns.Select(column => column.Name));
        Assert.Equal(["request"], without.Origins.Select(origin => origin.Source));
        Assert.Equal([4, 4], without.Outputs.Columns.Single().Doubles.Values);
        Assert.Equal(2, peer.Calls);
        Assert.Equal(0, await replica.StopAsync());
        await Eventually.Async(() => log.Records.Count == 2, Deadline, "each is logged once");
        Assert.Equal(["1", "2"], log.Records.Select(record => record.Version).Order());
    }

    [ServerFact]
    public async Task Without_the_store_a_model_may_go_on_as_if_all_were_missing()
    {
        var (model, strict) = (InferenceFixture.NewName("away"), InferenceFixture.NewName("strict"));
        await using var replica = await StartAsync(
            model, ("IsMissingWithoutStore", "true"), ("Inputs__hour__WhenMissing", "Default"), ("Inputs__hour__Default", "7"));
        await RegisterAsync(model);
        await RegisterAsync(strict);

        var answer = await PredictAsync(replica, new PredictRequest { Model = model, IncludeFeatures = true, Rows = Rows("ORD") });
        var refused = await Assert.ThrowsAsync<RpcException>(
            () => PredictAsync(replica, new PredictRequest { Model = strict, Rows = Rows("ORD") }));

        Assert.Equal(["missing:hour", "default:hour"], answer.Flags);
        Assert.Equal(["UNAVAILABLE"], answer.Origins.Single(origin => origin.Name == "hour").Statuses);
        Assert.Equal([7], answer.Features.Columns.Single(column => column.Name == "hour").Doubles.Values);
        Assert.Equal(StatusCode.Unavailable, refused.StatusCode);
    }

    [ServerTheory]
    [InlineData(-1)]
    [InlineData(long.MaxValue)]
    public async Task An_age_that_is_none_is_refused_over_both_protocols(long maxAge)
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature, FeaturePeer.Service);

        var grpc = await Assert.ThrowsAsync<RpcException>(() => services.Entities.PredictAsync(
            new PredictRequest { Model = model, MaxAgeSeconds = maxAge, Rows = Rows("ATL") }).ResponseAsync);
        var rest = await services.Http.PostJsonAsync(
            $"v1/models/{model}/predict", $$"""{"rows":[{"origin":"ATL","distance":0}],"max_age_seconds":{{maxAge}}}""");

        Assert.Equal(StatusCode.InvalidArgument, grpc.StatusCode);
        Assert.Contains("max_age_seconds", grpc.Status.Detail, StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.BadRequest, rest.Status);
        Assert.Contains("max_age_seconds", rest.Json.GetRawText(), StringComparison.Ordinal);
    }

    private Task<ServiceProcess> StartAsync(string model, params (string Key, string Value)[] settings) => services.StartInferenceAsync(
        services.NewFolder("policy"), InferenceFixture.NewName("policy"),
        more: [.. settings.Select(setting => ($"Inference__Models__{model}__Features__{setting.Key}", setting.Value))]);

    private Task<int> RegisterAsync(string model) =>
        services.RegisterAsync(model, Graphs.Delay(), Graphs.DelaySignature, FeaturePeer.Service, Profiles.Delay.ToJson());

    private async Task<PredictResponse> PredictAsync(ServiceProcess replica, PredictRequest request) =>
        await new InferenceService.InferenceServiceClient(services.Channel(replica.Grpc)).PredictAsync(request);

    private async Task<IEnumerable<ListModelsResponse.Types.Decision>> DecisionsAsync(ServiceProcess replica, string model)
    {
        var client = new InferenceService.InferenceServiceClient(services.Channel(replica.Grpc));
        return (await client.ListModelsAsync(new ListModelsRequest())).Models.Single(m => m.Name == model).Decisions;
    }

    private static Table Rows(params string[] origins) => new()
    {
        Columns =
        {
            new Column { Name = "origin", Texts = new TextValues { Values = { origins } } },
            new Column { Name = "distance", Doubles = new DoubleValues { Values = { origins.Select(_ => 0d) } } },
        },
    };

    private static IEnumerable<string?> Texts(JsonElement array) => array.EnumerateArray().Select(text => text.GetString());
}
