using System.Net;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

/// <summary>A replica that keeps answers.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class CachingTests(InferenceFixture fixture)
{
    [ServerFact]
    public async Task A_kept_answer_is_a_prediction_of_its_own_and_a_failure_is_never_kept()
    {
        var model = await fixture.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        await using var replica = await fixture.StartInferenceAsync(
            fixture.NewFolder("caching"), null, null, ($"Inference__Models__{model}__Cache__MaxBytes", "1000000"));
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(fixture.Channel(replica.Grpc));
        using var http = new HttpClient { BaseAddress = replica.Http };
        Tensor[] five = [Tensor.Fp32("x", 5)], six = [Tensor.Fp32("x", 6)], wrong = [Tensor.Fp32("x", float.PositiveInfinity)];

        var first = await client.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, five));
        var again = await client.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, five));
        var rest = await http.PostJsonAsync($"v2/models/{model}/infer", Tensor.ToJson(five));
        var other = await client.ModelInferAsync(Tensor.ToRequest(model, isRaw: true, six));
        for (var i = 0; i < 2; i++)
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await http.PostJsonAsync($"v2/models/{model}/infer", Tensor.ToJson(wrong))).Status);
        }

        Assert.Equal(first.RawOutputContents, again.RawOutputContents);
        Assert.Equal(10f, rest.Json.GetProperty("outputs")[0].GetProperty("data")[0].GetSingle());
        Assert.NotEqual(first.RawOutputContents, other.RawOutputContents);
        string[] ids = [Id(first), Id(again), rest.Json.GetProperty("parameters").GetProperty("prediction_id").GetString() ?? "", Id(other)];
        Assert.Equal(4, ids.Distinct().Count());
        var stats = (await client.ModelStatisticsAsync(new ModelStatisticsRequest { Name = model })).ModelStats.Single();
        Assert.Equal((4ul, 2ul), (stats.InferenceCount, stats.ExecutionCount));
        Assert.Equal((2ul, 2ul), (stats.InferenceStats.CacheHit.Count, stats.InferenceStats.CacheMiss.Count));
        Assert.Equal((4ul, 2ul), (stats.InferenceStats.Success.Count, stats.InferenceStats.ComputeInfer.Count));
        Assert.Equal("on", (await client.ModelMetadataAsync(new ModelMetadataRequest { Name = model })).Properties["cache"]);
    }

    private static string Id(ModelInferResponse answer) => answer.Parameters["prediction_id"].StringParam;
}
