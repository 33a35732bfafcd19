using System.Net;
using System.Text.Json;
using Grpc.Core;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

/// <summary>Triton's additions: stream, configuration, statistics and the model repository, over both protocols.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class RepositoryTests(InferenceFixture services)
{
    private static readonly Tensor[] Two = [Tensor.Fp32("x", 1, 2)];

    [ServerFact]
    public async Task A_stream_answers_each_request_in_order_and_outlives_refusals()
    {
        var twice = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        var thrice = await services.NewModelAsync(Graphs.Times(3), Graphs.TimesSignature);
        await services.RegisterAsync(twice, Graphs.Times(5), Graphs.TimesSignature);
        using var stream = services.Tensors.ModelStreamInfer(new Metadata { { "x-mlops-model-version", "1" } });
        foreach (var (id, model, tensors) in ((string, string, Tensor[])[])
                 [("a", twice, Two), ("b", "no-such-model", Two), ("c", twice, []), ("d", thrice, Two), ("e", twice, Two)])
        {
            var request = Tensor.ToRequest(model, isRaw: false, tensors);
            request.Id = id;
            await stream.RequestStream.WriteAsync(request);
        }

        await stream.RequestStream.CompleteAsync();
        var answers = await stream.ResponseStream.ReadAllAsync().ToListAsync();

        Assert.Equal(["a", "b", "c", "d", "e"], answers.Select(a => a.InferResponse.Id));
        Assert.Equal([false, true, true, false, false], answers.Select(a => a.ErrorMessage.Length > 0));
        Assert.Contains("no-such-model", answers[1].ErrorMessage, StringComparison.Ordinal);
        Assert.Contains("x: is missing", answers[2].ErrorMessage, StringComparison.Ordinal);
        Assert.Equal([2f, 4f], answers[0].InferResponse.Outputs[0].Contents.Fp32Contents);
        Assert.Equal([3f, 6f], answers[3].InferResponse.Outputs[0].Contents.Fp32Contents);
        Assert.Equal("1", answers[4].InferResponse.ModelVersion);
        Assert.Equal(3, answers.Where(a => a.ErrorMessage.Length == 0).Select(a => a.InferResponse.Parameters["prediction_id"].StringParam).Distinct().Count());
    }

    [ServerFact]
    public async Task Statistics_count_rows_runs_and_failures_truly()
    {
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        var started = TimeProvider.System.GetUtcNow().AddSeconds(-1).ToUnixTimeMilliseconds();
        for (var i = 0; i < 3; i++) await services.Tensors.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, Two));
        Assert.Equal(HttpStatusCode.OK, (await services.Http.PostJsonAsync($"v2/models/{model}/infer", Tensor.ToJson(Two))).Status);
        Assert.Equal(HttpStatusCode.BadRequest, (await services.Http.PostJsonAsync($"v2/models/{model}/infer", "{}")).Status);

        var grpc = (await services.Tensors.ModelStatisticsAsync(new ModelStatisticsRequest { Name = model })).ModelStats.Single();
        var rest = await GetAsync($"v2/models/{model}/versions/1/stats");
        var all = await GetAsync("v2/models/stats");

        Assert.Equal((model, "1", 8ul, 4ul), (grpc.Name, grpc.Version, grpc.InferenceCount, grpc.ExecutionCount));
        Assert.Equal((4ul, 1ul), (grpc.InferenceStats.Success.Count, grpc.InferenceStats.Fail.Count));
        Assert.Equal((4ul, 0ul), (grpc.InferenceStats.Queue.Count, grpc.InferenceStats.Queue.Ns));
        var parts = (StatisticDuration[])[grpc.InferenceStats.ComputeInput, grpc.InferenceStats.ComputeInfer, grpc.InferenceStats.ComputeOutput];
        Assert.All(parts, p => Assert.True(p.Count == 4 && p.Ns > 0));
        Assert.True(parts.Aggregate(0ul, (sum, p) => sum + p.Ns) <= grpc.InferenceStats.Success.Ns);
        Assert.True(grpc.LastInference >= (ulong)started);
        var one = rest.GetProperty("model_stats").EnumerateArray().Single();
        Assert.Equal(8, one.GetProperty("inference_count").GetInt64());
        Assert.Equal((long)grpc.InferenceStats.ComputeInfer.Ns, one.GetProperty("inference_stats").GetProperty("compute_infer").GetProperty("ns").GetInt64());
        Assert.Contains(all.GetProperty("model_stats").EnumerateArray(), s => s.GetProperty("name").GetString() == model);
    }

    [ServerFact]
    public async Task The_configuration_has_whole_shapes_and_triton_names()
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        var grpc = (await services.Tensors.ModelConfigAsync(new ModelConfigRequest { Name = model, Version = "1" })).Config;
        var rest = await GetAsync($"v2/models/{model}/config");

        Assert.Equal([DataType.TypeFp32, DataType.TypeFp32, DataType.TypeString], grpc.Input.Select(i => i.DataType));
        Assert.Equal([-1L, 1L], grpc.Output.Single().Dims);
        Assert.Equal((0, "onnxruntime"), (grpc.MaxBatchSize, grpc.Backend));
        Assert.Equal(0, rest.GetProperty("max_batch_size").GetInt32());
        Assert.Equal("TYPE_STRING", rest.GetProperty("input")[2].GetProperty("data_type").GetString());
        Assert.Equal("TYPE_FP32", rest.GetProperty("output")[0].GetProperty("data_type").GetString());
    }

    [ServerFact]
    public async Task Configuration_and_metadata_say_what_computes_a_version_and_what_was_measured()
    {
        var sample = SampleModels.Named("trees export");
        var model = await services.NewModelAsync(sample.Onnx, sample.Signature);

        var config = (await services.Tensors.ModelConfigAsync(new ModelConfigRequest { Name = model })).Config;
        var metadata = await services.Tensors.ModelMetadataAsync(new ModelMetadataRequest { Name = model });
        var rest = await GetAsync($"v2/models/{model}/config");
        var described = await GetAsync($"v2/models/{model}");

        // Which of the two is faster is measured, and so not known here.
        Assert.Contains(config.Backend, (string[])["trees", "onnxruntime"]);
        Assert.Equal((config.Backend + "_onnx", config.Backend + "_onnx"), (config.Platform, metadata.Platform));
        Assert.True(double.Parse(config.Parameters["backend.largest_relative_difference"].StringValue, System.Globalization.CultureInfo.InvariantCulture) <= 1e-6);
        Assert.True(int.Parse(config.Parameters["backend.compared_rows"].StringValue, System.Globalization.CultureInfo.InvariantCulture) > 256);
        Assert.Equal(config.Parameters["backend.single_row_speedup"].StringValue, metadata.Properties["backend.single_row_speedup"]);
        Assert.Equal(config.Parameters["backend.batch_speedup"].StringValue, rest.GetProperty("parameters").GetProperty("backend.batch_speedup").GetProperty("string_value").GetString());
        Assert.Equal(config.Backend, described.GetProperty("properties").GetProperty("backend").GetString());
    }

    [ServerFact]
    public async Task An_unloaded_model_is_refused_until_it_is_loaded_again()
    {
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        await services.Tensors.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, Two));
        Assert.Equal("READY", await StateAsync(model));

        await services.Tensors.RepositoryModelUnloadAsync(new RepositoryModelUnloadRequest { ModelName = model });
        var refused = await Assert.ThrowsAsync<RpcException>(
            () => services.Tensors.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, Two)).ResponseAsync);
        Assert.Equal(StatusCode.Unavailable, refused.StatusCode);
        Assert.Equal("UNAVAILABLE", await StateAsync(model));
        Assert.False((await services.Tensors.ModelReadyAsync(new ModelReadyRequest { Name = model })).Ready);

        var loaded = await services.Http.PostJsonAsync($"v2/repository/models/{model}/load", "");
        Assert.True(loaded.Json.GetProperty("load").GetBoolean());
        Assert.Equal("READY", await StateAsync(model));
        await services.Tensors.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, Two));

        var unloaded = await services.Http.PostJsonAsync($"v2/repository/models/{model}/unload", """{"parameters":{"unload_dependents":true}}""");
        Assert.True(unloaded.Json.GetProperty("unload").GetBoolean());
        var away = await services.Http.PostJsonAsync($"v2/models/{model}/infer", Tensor.ToJson(Two));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, away.Status);
        await services.Tensors.RepositoryModelLoadAsync(new RepositoryModelLoadRequest { ModelName = model });
        Assert.Equal("READY", await StateAsync(model));
    }

    [ServerFact]
    public async Task One_version_is_loaded_and_unloaded_by_path_and_by_parameter_and_the_replica_says_what_it_has_warm()
    {
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        await services.RegisterAsync(model, Graphs.Times(3), Graphs.TimesSignature);
        foreach (var version in (string[])["1", "2"]) Assert.Equal(HttpStatusCode.OK, await LoadAsync(version));
        Assert.Equal(["1", "2"], await WarmAsync());

        await services.Tensors.RepositoryModelUnloadAsync(new RepositoryModelUnloadRequest { ModelName = model, Parameters = { ["version"] = new() { StringParam = "2" } } });
        Assert.Equal(["1"], await WarmAsync());
        await services.Tensors.RepositoryModelLoadAsync(new RepositoryModelLoadRequest { ModelName = model, Parameters = { ["version"] = new() { Int64Param = 2 } } });
        Assert.Equal(["1", "2"], await WarmAsync());
        Assert.Equal(HttpStatusCode.OK, (await services.Http.PostJsonAsync($"v2/repository/models/{model}/unload", """{"parameters":{"version":1}}""")).Status);
        Assert.Equal(["2"], await WarmAsync());

        var refused = await services.Http.PostJsonAsync($"v2/models/{model}/versions/1/infer", Tensor.ToJson(Two));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.Status);
        Assert.Equal(HttpStatusCode.NotFound, await LoadAsync("9"));
        Assert.Equal(HttpStatusCode.BadRequest, (await services.Http.PostJsonAsync($"v2/repository/models/{model}/load", """{"parameters":{"version":true}}""")).Status);
        Assert.Equal(HttpStatusCode.OK, await LoadAsync("1"));
        Assert.Equal(["1", "2"], await WarmAsync());

        async Task<HttpStatusCode> LoadAsync(string version) =>
            (await services.Http.PostJsonAsync($"v2/repository/models/{model}/versions/{version}/load", "")).Status;

        async Task<IEnumerable<string?>> WarmAsync()
        {
            var warm = await GetAsync("v2/repository/warm");
            var listed = await services.Entities.ListModelsAsync(new MlOps.Contracts.Inference.V1.ListModelsRequest());
            Assert.Equal(listed.Replica, warm.GetProperty("replica").GetString());
            var versions = warm.GetProperty("versions").EnumerateArray().Where(v => v.GetProperty("name").GetString() == model).ToArray();
            Assert.All(versions, v => Assert.True(v.GetProperty("byte_size").GetInt64() > 0));
            Assert.Equal(listed.Models.Where(m => m.Name == model && m.State == "READY").Select(m => m.Version), versions.Select(v => v.GetProperty("version").GetString()));
            return versions.Select(v => v.GetProperty("version").GetString());
        }
    }

    [ServerTheory]
    [InlineData("v2/repository/models/no-such-model/load", "", HttpStatusCode.NotFound)]
    [InlineData("v2/repository/models/no-such-model/unload", "", HttpStatusCode.NotFound)]
    [InlineData("v2/repository/models/any/load", """{"parameters":{"config":"{}"}}""", HttpStatusCode.NotImplemented)]
    [InlineData("v2/repository/models/any/load", """{"parameters":{"file:1/model.onnx":"AA=="}}""", HttpStatusCode.NotImplemented)]
    [InlineData("v2/repository/models/any/load", """{"parameters":[]}""", HttpStatusCode.BadRequest)]
    [InlineData("v2/repository/models/any/unload", "{", HttpStatusCode.BadRequest)]
    [InlineData("v2/repository/index", "[]", HttpStatusCode.BadRequest)]
    [InlineData("v2/repository/index", """{"\ud800":1,"ready":true}""", HttpStatusCode.BadRequest)]
    [InlineData("v2/repository/models/any/load", """{"\udfff":{}}""", HttpStatusCode.BadRequest)]
    [InlineData("v2/repository/index", """{"ready":1}""", HttpStatusCode.BadRequest)]
    public async Task What_the_repository_cannot_do_is_refused(string path, string body, HttpStatusCode expected)
    {
        var reply = await services.Http.PostJsonAsync(path, body);

        Assert.Equal(expected, reply.Status);
        Assert.NotEmpty(reply.Json.GetProperty("error").GetString()!);
    }

    [ServerFact]
    public async Task The_repository_refuses_over_grpc_with_the_same_meaning()
    {
        var config = new RepositoryModelLoadRequest { ModelName = "any", Parameters = { ["config"] = new ModelRepositoryParameter { StringParam = "{}" } } };
        foreach (var (call, expected) in ((Func<Task>, StatusCode)[])
        [
            (() => services.Tensors.RepositoryModelLoadAsync(config).ResponseAsync, StatusCode.Unimplemented),
            (() => services.Tensors.RepositoryModelLoadAsync(new() { ModelName = new string('m', 200_000) }).ResponseAsync, StatusCode.NotFound),
            (() => services.Tensors.RepositoryModelUnloadAsync(new() { ModelName = "no-such-model" }).ResponseAsync, StatusCode.NotFound),
            (() => services.Tensors.RepositoryIndexAsync(new() { RepositoryName = "other" }).ResponseAsync, StatusCode.Unimplemented),
            (() => services.Tensors.ModelStatisticsAsync(new() { Name = "no-such-model" }).ResponseAsync, StatusCode.NotFound),
            (() => services.Tensors.ModelConfigAsync(new() { Name = "no-such-model" }).ResponseAsync, StatusCode.NotFound),
        ])
        {
            Assert.Equal(expected, (await Assert.ThrowsAsync<RpcException>(call)).StatusCode);
        }
    }

    [ServerFact]
    public async Task The_server_names_its_extensions_over_both_protocols()
    {
        var grpc = await services.Tensors.ServerMetadataAsync(new ServerMetadataRequest());
        var rest = await GetAsync("v2");

        Assert.Equal(["binary_tensor_data", "model_configuration", "model_repository", "statistics"], grpc.Extensions);
        Assert.Equal(grpc.Extensions, rest.GetProperty("extensions").EnumerateArray().Select(e => e.GetString()));
    }

    private async Task<string> StateAsync(string model)
    {
        var grpc = (await services.Tensors.RepositoryIndexAsync(new RepositoryIndexRequest())).Models.Single(m => m.Name == model);
        var reply = await services.Http.PostJsonAsync("v2/repository/index", """{"ready":false}""");
        var rest = reply.Json.EnumerateArray().Single(m => m.GetProperty("name").GetString() == model);
        Assert.Equal(grpc.State, rest.GetProperty("state").GetString());
        Assert.Equal(grpc.Version, rest.GetProperty("version").GetString());
        var ready = (await services.Tensors.RepositoryIndexAsync(new RepositoryIndexRequest { Ready = true })).Models;
        Assert.Equal(grpc.State == "READY", ready.Any(m => m.Name == model));
        return grpc.State;
    }

    private async Task<JsonElement> GetAsync(string path)
    {
        using var json = JsonDocument.Parse(await services.Http.GetStringAsync(new Uri(path, UriKind.Relative)));
        return json.RootElement.Clone();
    }
}
