using System.Net;
using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Tables.V1;
using MlOps.Numerics.Assignment;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

/// <summary>What reaches the log and what does not, over every surface.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class LogSamplingTests(InferenceFixture services)
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);
    private static readonly Tensor[] One = [Tensor.Fp32("x", 1)];

    [ServerFact]
    public async Task Every_answer_has_an_id_and_the_log_has_those_in_the_sample()
    {
        var prefix = InferenceFixture.NewName("log");
        await using var log = await LoggedPredictions.ListenAsync(prefix);
        await using var replica = await services.StartInferenceAsync(
            services.NewFolder("log"), prefix, more: ("Inference__Defaults__Log__Rate", "0.25"));
        using var http = new HttpClient { BaseAddress = replica.Http };
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(services.Channel(replica.Grpc));
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        var ids = new List<string?>();

        for (var i = 0; i < 100; i++)
        {
            ids.Add((await client.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, One))).Parameters["prediction_id"].StringParam);
            ids.Add((await http.PostJsonAsync($"v1/models/{model}:predict", """{"instances":[1]}""")).Header("x-mlops-prediction-id"));
        }

        // What is to come of them comes before the end of the service.
        Assert.Equal(0, await replica.StopAsync());
        var sampled = ids.Where(id => SampleHash.IsTaken(Guid.ParseExact(id!, "N"), 0.25)).Order().ToList();
        Assert.InRange(sampled.Count, 20, 80);
        await Eventually.Async(() => log.Ids.Count >= sampled.Count, Deadline, "the sample arrives");
        Assert.Equal(sampled, log.Ids.Order());
        Assert.All(log.Records, r => Assert.Equal(0.25, r.SamplingRate));
    }

    [ServerFact]
    public async Task A_refusal_of_any_surface_is_in_the_log_once_and_one_without_a_model_is_not()
    {
        var prefix = InferenceFixture.NewName("log");
        await using var log = await LoggedPredictions.ListenAsync(prefix);
        await using var replica = await services.StartInferenceAsync(
            services.NewFolder("log"), prefix, more: ("Inference__Defaults__Log__Rate", "0"));
        using var http = new HttpClient { BaseAddress = replica.Http };
        var tensors = new GRPCInferenceService.GRPCInferenceServiceClient(services.Channel(replica.Grpc));
        var entities = new InferenceService.InferenceServiceClient(services.Channel(replica.Grpc));
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);

        foreach (var (path, body, status) in ((string, string, HttpStatusCode)[])
        [
            ($"v2/models/{model}/infer", "{", HttpStatusCode.BadRequest),
            ($"v2/models/{model}/infer", """{"inputs":[{"name":"hour","datatype":"FP32","shape":[2,1],"data":[1,2]}]}""", HttpStatusCode.BadRequest),
            ($"v2/models/{model}/infer", """{"inputs":[],"outputs":[{"name":"y","parameters":{"classification":1}}]}""", HttpStatusCode.NotImplemented),
            ($"v1/models/{model}:predict", """{"instances":[{"hour":"late"}]}""", HttpStatusCode.BadRequest),
            ("invocations", """{"instances":[]}""", HttpStatusCode.BadRequest),
            ($"v1/models/{model}/predict", """{"rows":[]}""", HttpStatusCode.BadRequest),
            ($"v1/models/{model}/predict", "[", HttpStatusCode.BadRequest),
            ("v2/models/no-such-model/infer", "{}", HttpStatusCode.NotFound),
            ($"v2/models/{model}/versions/9/infer", "{}", HttpStatusCode.NotFound),
        ])
        {
            Assert.Equal(status, (await http.PostJsonAsync(path, body, ("x-mlops-model", model))).Status);
        }

        await Assert.ThrowsAsync<RpcException>(() => tensors.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, [One[0], One[0]])).ResponseAsync);
        await Assert.ThrowsAsync<RpcException>(() => entities.PredictAsync(new PredictRequest { Model = model, Rows = new Table() }).ResponseAsync);
        using (var stream = tensors.ModelStreamInfer())
        {
            await stream.RequestStream.WriteAsync(new ModelInferRequest { ModelName = model });
            await stream.RequestStream.CompleteAsync();
            Assert.NotEmpty((await stream.ResponseStream.ReadAllAsync().SingleAsync()).ErrorMessage);
        }

        Assert.Equal(HttpStatusCode.OK, (await http.PostJsonAsync(
            $"v1/models/{model}:predict", """{"instances":[{"distance":1,"hour":2,"origin":"ATL"}]}""")).Status);
        Assert.Equal(0, await replica.StopAsync());

        string[] expected =
        [
            "INPUT_INVALID", "INPUT_INVALID", "INPUT_INVALID", "INPUT_INVALID", "JSON_INVALID", "JSON_INVALID", "ROWS_INVALID",
            "ROWS_INVALID", "ROWS_INVALID", "UNIMPLEMENTED",
        ];
        await Eventually.Async(() => log.Records.Count >= expected.Length, Deadline, "the refusals arrive");
        Assert.Equal(expected, log.Records.Select(r => r.Failure).Order(StringComparer.Ordinal));
        Assert.All(log.Records, r => Assert.Equal((model, "1", 0), (r.Model, r.Version, r.Predictions.Count)));
        Assert.Contains(log.Records, r => r.Inputs.Columns is [{ Name: "hour", Doubles.Values: [1, 2] }]);
    }
}
