using System.Text.Json;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

/// <summary>A replica whose requests share runs whatever that costs.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class BatchingTests(InferenceFixture fixture)
{
    private const int Callers = 16;
    private const int Each = 100;

    [ServerFact]
    public async Task Requests_that_share_runs_get_the_answers_they_would_get_alone()
    {
        var model = await fixture.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        await using var replica = await fixture.StartInferenceAsync(
            fixture.NewFolder("batching"), null, null, ("Inference__Defaults__Batching__MinGain", "00:00:00"),
            ("Inference__Defaults__Batching__MaxRuns", "1"));
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(fixture.Channel(replica.Grpc));
        using var http = new HttpClient { BaseAddress = replica.Http };

        var together = await AnswersAsync(client);
        var alone = await AnswersAsync(fixture.Tensors);

        Assert.Equal(alone, together);
        var told = await client.ModelMetadataAsync(new ModelMetadataRequest { Name = model });
        Assert.Equal(("on", "proven", "32"), (told.Properties["batching"], told.Properties["batching.equal"], told.Properties["batching.max_rows"]));
        using var json = JsonDocument.Parse(await http.GetStringAsync(new Uri($"v2/models/{model}", UriKind.Relative)));
        Assert.Equal("on", json.RootElement.GetProperty("properties").GetProperty("batching").GetString());
        var stats = (await client.ModelStatisticsAsync(new ModelStatisticsRequest { Name = model })).ModelStats.Single();
        Assert.Equal((ulong)(Callers * Each), stats.InferenceCount);
        Assert.Equal(stats.ExecutionCount, stats.BatchStats.Aggregate(0ul, (sum, batch) => sum + batch.ComputeInfer.Count));
        Assert.Equal(stats.InferenceCount, stats.BatchStats.Aggregate(0ul, (sum, batch) => sum + (batch.BatchSize * batch.ComputeInfer.Count)));

        // Each with rows of its own.
        async Task<float[][]> AnswersAsync(GRPCInferenceService.GRPCInferenceServiceClient from) => await Task.WhenAll(
            Enumerable.Range(0, Callers).Select(async caller =>
            {
                var answers = new List<float>();
                for (var i = 0; i < Each; i++)
                {
                    float at = (caller * Each) + i;
                    var answer = await from.ModelInferAsync(Tensor.ToRequest(
                        model, isRaw: false, [Tensor.Fp32("distance", at), Tensor.Fp32("hour", at % 24), Tensor.Bytes("origin", i % 2 == 0 ? "ATL" : "ORD")]));
                    answers.Add(answer.Outputs.Single().Contents.Fp32Contents.Single());
                }

                return answers.ToArray();
            }));
    }
}
