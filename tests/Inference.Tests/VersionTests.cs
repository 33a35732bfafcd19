using System.Collections.Concurrent;
using System.Globalization;
using System.Net;
using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.Numerics.Profiles;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

[Collection(nameof(InferenceFixture))]
public sealed class VersionTests(InferenceFixture services)
{
    private static readonly Tensor[] One = [Tensor.Fp32("x", 1)];

    [ServerFact]
    public async Task A_version_is_chosen_by_path_then_header_then_champion_then_newest()
    {
        var model = await services.NewModelAsync(Graphs.Times(1), Graphs.TimesSignature);
        foreach (var factor in (int[])[2, 3, 4]) await services.RegisterAsync(model, Graphs.Times(factor), Graphs.TimesSignature);

        await Eventually.Async(async () => await AnsweringAsync(model, "") == "4", TimeSpan.FromSeconds(20), "4 is the newest");
        await services.SetAliasAsync(model, "champion", 2);
        await services.SetAliasAsync(model, "challenger", 3);
        await Eventually.Async(async () => await AnsweringAsync(model, "") == "2", TimeSpan.FromSeconds(20), "champion is 2");

        Assert.Equal("2", await AnsweringAsync(model, "", ("x-mlops-model-version", "champion")));
        Assert.Equal("1", await AnsweringAsync(model, "", ("x-mlops-model-version", "1")));
        Assert.Equal("3", await AnsweringAsync(model, "/versions/challenger", ("x-mlops-model-version", "1")));
        Assert.Equal("4", await AnsweringAsync(model, "/versions/latest"));
        Assert.Equal("1", await AnsweringAsync(model, "/versions/1"));
    }

    [ServerFact]
    public async Task Headers_of_the_answer_say_version_variant_and_prediction()
    {
        var model = await services.NewModelAsync(Graphs.Times(1), Graphs.TimesSignature);

        var rest = await services.Http.PostJsonAsync(
            $"v2/models/{model}/infer", Tensor.ToJson(One), ("x-mlops-variant", "canary"), ("x-mlops-subject", "someone"));
        using var call = services.Tensors.ModelInferAsync(
            Tensor.ToRequest(model, isRaw: true, One), new Metadata { { "x-mlops-variant", "canary" } });
        var odd = await services.Http.PostJsonAsync(
            $"v2/models/{model}/infer", Tensor.ToJson(One), ("x-mlops-variant", "a\u00fcb"), ("x-mlops-subject", "\u00fcber"));
        var headers = await call.ResponseHeadersAsync;
        var grpc = await call;

        Assert.Equal(HttpStatusCode.OK, odd.Status);
        Assert.Null(odd.Header("x-mlops-variant"));
        Assert.Equal("1", rest.Header("x-mlops-model-version"));
        Assert.Equal("canary", rest.Header("x-mlops-variant"));
        Assert.Equal(rest.Json.GetProperty("parameters").GetProperty("prediction_id").GetString(), rest.Header("x-mlops-prediction-id"));
        Assert.Equal("1", headers.GetValue("x-mlops-model-version"));
        Assert.Equal("canary", headers.GetValue("x-mlops-variant"));
        Assert.Equal(grpc.Parameters["prediction_id"].StringParam, headers.GetValue("x-mlops-prediction-id"));
    }

    [ServerFact]
    public async Task Moving_the_champion_under_load_fails_no_request()
    {
        var model = await services.NewModelAsync(Graphs.Times(1), Graphs.TimesSignature);
        await services.SetAliasAsync(model, "champion", 1);
        await services.RegisterAsync(model, Graphs.Times(2), Graphs.TimesSignature);
        await Eventually.Async(async () => await AnsweringAsync(model, "") == "1", TimeSpan.FromSeconds(20), "champion is 1");
        var seen = new ConcurrentDictionary<string, int>();
        using var stop = new CancellationTokenSource();
        var load = Enumerable.Range(0, 4).Select(_ => Task.Run(async () =>
        {
            while (!stop.IsCancellationRequested)
            {
                // A refused call throws, and so fails the test.
                var answer = await services.Tensors.ModelInferAsync(Tensor.ToRequest(model, isRaw: false, One));
                Assert.Equal(
                    answer.Outputs[0].Contents.Fp32Contents[0].ToString(CultureInfo.InvariantCulture), answer.ModelVersion);
                seen.AddOrUpdate(answer.ModelVersion, 1, (_, n) => n + 1);
            }
        })).ToArray();

        for (var i = 0; i < 4; i++)
        {
            var target = (i % 2) + 1;
            await services.SetAliasAsync(model, "champion", target == 1 ? 2 : 1);
            var before = seen.GetValueOrDefault(target == 1 ? "2" : "1");
            await Eventually.Async(
                () => load.Any(l => l.IsFaulted) || seen.GetValueOrDefault(target == 1 ? "2" : "1") > before + 20,
                TimeSpan.FromSeconds(20), "the other version answers");
        }

        await stop.CancelAsync();
        await Task.WhenAll(load);
        Assert.Equal(["1", "2"], seen.Keys.Order());
    }

    [ServerFact]
    public async Task A_version_that_cannot_be_loaded_says_why_and_the_champion_stays()
    {
        var model = await services.NewModelAsync(Graphs.Times(1), Graphs.TimesSignature);
        await services.SetAliasAsync(model, "champion", 1);
        Assert.Equal("1", await AnsweringAsync(model, ""));
        await services.RegisterAsync(model, Guid.NewGuid().ToByteArray(), Graphs.TimesSignature);
        await services.RegisterAsync(model, Graphs.Delay(), Graphs.TimesSignature);

        await services.SetAliasAsync(model, "champion", 2);
        await Eventually.Async(
            async () => (await services.Entities.ListModelsAsync(new ListModelsRequest())).Models
                .Any(m => m.Name == model && m.Version == "2" && m.State == "UNAVAILABLE" && m.Reason.Length > 0),
            TimeSpan.FromSeconds(20), "version 2 is refused");

        Assert.Equal("1", await AnsweringAsync(model, ""));
        foreach (var version in (string[])["2", "3"])
        {
            var refused = await services.Http.PostJsonAsync($"v2/models/{model}/versions/{version}/infer", Tensor.ToJson(One));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
            Assert.Contains($"version {version} is not ready", refused.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        }

        // Heals when it points to something sound again.
        await services.SetAliasAsync(model, "champion", 1);
    }

    [ServerFact]
    public async Task A_version_with_a_broken_reference_profile_is_refused_and_says_so()
    {
        var profile = new ReferenceProfile { Features = [FeatureProfile.Numeric("x", [1f, 2f])] };
        var model = await services.NewModelAsync(Graphs.Times(1), Graphs.TimesSignature, profile: profile.ToJson());
        await services.SetAliasAsync(model, "champion", 1);
        Assert.Equal("1", await AnsweringAsync(model, ""));
        await services.RegisterAsync(model, Graphs.Times(2), Graphs.TimesSignature, profile: "{}"u8.ToArray());

        var refused = await services.Http.PostJsonAsync($"v2/models/{model}/versions/2/infer", Tensor.ToJson(One));

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        Assert.Contains("no reference profile", refused.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        Assert.Equal("1", await AnsweringAsync(model, ""));
    }

    [ServerFact]
    public async Task Few_versions_stay_loaded_and_an_unloaded_one_comes_back_on_demand()
    {
        var model = await services.NewModelAsync(Graphs.Times(1), Graphs.TimesSignature);
        for (var factor = 2; factor <= 6; factor++) await services.RegisterAsync(model, Graphs.Times(factor), Graphs.TimesSignature);
        await services.SetAliasAsync(model, "champion", 1);
        await using var replica = await services.StartInferenceAsync(
            services.NewFolder("replica"), InferenceFixture.NewName("alone"), more: ("Inference__MaxLoadedVersions", "1"));
        using var http = new HttpClient { BaseAddress = replica.Http };
        var entities = new InferenceService.InferenceServiceClient(services.Channel(replica.Grpc));

        for (var round = 0; round < 2; round++)
        {
            for (var version = 1; version <= 6; version++)
            {
                var answer = await http.PostJsonAsync($"v2/models/{model}/versions/{version}/infer", Tensor.ToJson(One));
                Assert.Equal(HttpStatusCode.OK, answer.Status);
                Assert.Equal(version, answer.Json.GetProperty("outputs")[0].GetProperty("data")[0].GetSingle());
            }
        }

        var loaded = (await entities.ListModelsAsync(new ListModelsRequest())).Models.Where(m => m.Name == model && m.State == "READY");
        Assert.Contains(loaded, m => m.Version == "1");
        Assert.True(loaded.Count() <= 3, "champion, newest and the one just used at most");
    }

    [ServerFact]
    public async Task Loaded_models_serve_on_while_the_registry_is_away_and_a_start_without_it_waits_for_it()
    {
        var model = await services.NewModelAsync(Graphs.Times(3), Graphs.TimesSignature);
        Assert.Equal("1", await AnsweringAsync(model, ""));
        await services.Registry.KillAsync();
        try
        {
            Assert.Equal("1", await AnsweringAsync(model, ""));
            await using var replica = await services.StartInferenceAsync(services.NewFolder("replica"));
            using var http = new HttpClient { BaseAddress = replica.Http };
            Assert.Contains("\"degraded\"", await http.GetStringAsync(new Uri("health", UriKind.Relative)), StringComparison.Ordinal);
            var early = await http.PostJsonAsync($"v2/models/{model}/infer", Tensor.ToJson(One));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, early.Status);

            await services.Registry.StartAgainAsync();
            await Eventually.Async(
                async () => (await http.PostJsonAsync($"v2/models/{model}/infer", Tensor.ToJson(One))).Status == HttpStatusCode.OK,
                TimeSpan.FromSeconds(40), "the replica serves");
        }
        finally
        {
            if (!services.Registry.IsRunning) await services.Registry.StartAgainAsync();
        }
    }

    private async Task<string?> AnsweringAsync(string model, string path, params (string, string)[] headers)
    {
        var reply = await services.Http.PostJsonAsync($"v2/models/{model}{path}/infer", Tensor.ToJson(One), headers);
        Assert.Equal(HttpStatusCode.OK, reply.Status);
        return reply.Json.GetProperty("model_version").GetString();
    }
}
