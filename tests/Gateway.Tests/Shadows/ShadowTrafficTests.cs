using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using Google.Protobuf;
using Grpc.Core;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Gateway.Shadows;
using MlOps.TestServers;
using Xunit.Abstractions;

namespace MlOps.Gateway.Tests.Shadows;

/// <summary>Copies for shadows, before a peer that can leave them unanswered.</summary>
public sealed class ShadowTrafficTests(Platform<ShadowTrafficTests> platform, ITestOutputHelper output)
    : IClassFixture<Platform<ShadowTrafficTests>>, IDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(60);

    private GatewayReplica Gateway => platform.Gateway;

    public void Dispose() => platform.Peer.Shadows = "answer";

    [ServerFact]
    public async Task Every_protocol_is_copied_byte_for_byte_with_whose_copy_it_is()
    {
        await PutAsync("copied", ("21", 1), ("22", 1));
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(Gateway.Channel);
        var message = new ModelInferRequest { ModelName = "copied", Id = "grpc", RawInputContents = { ByteString.CopyFrom(new byte[5_000]) } };
        using var call = client.ModelInferAsync(message, Samples.Subject("s"), Samples.Soon);
        var grpc = (await call.ResponseHeadersAsync).GetValue("x-mlops-prediction-id");
        await call;
        await new InferenceService.InferenceServiceClient(Gateway.Channel).PredictAsync(new PredictRequest { Model = "copied" }, deadline: Samples.Soon);
        var v2 = await PostAsync("/v2/models/copied/infer?a=b", "{\"inputs\":[]}");
        var v1 = await PostAsync("/v1/models/copied:predict", "{\"instances\":[]}");

        await CountedAsync("copied", "21", c => c.BothAnswered == 4);
        await CountedAsync("copied", "22", c => c.BothAnswered == 4);
        foreach (var version in new[] { "21", "22" })
        {
            var copies = platform.Peer.Requests.Where(r => r.Version == version && r.Headers.GetValueOrDefault("x-mlops-tier") == "shadow").ToArray();
            Assert.Equal(4, copies.Length);
            Assert.Contains(copies, c => c.Headers["x-mlops-shadow-of"] == grpc && c.Body.AsSpan().SequenceEqual(message.ToByteArray()));
            Assert.Contains(copies, c => c.Headers["x-mlops-shadow-of"] == v2 && Encoding.UTF8.GetString(c.Body) == "{\"inputs\":[]}");
            Assert.Contains(copies, c => c.Headers["x-mlops-shadow-of"] == v1 && c.Path == "/v1/models/copied:predict");
            Assert.All(copies, c => Assert.Null(c.Variant));
            Assert.Contains(copies, c => c.Headers.GetValueOrDefault("x-mlops-subject") == "s");
        }
    }

    [ServerFact]
    public async Task Only_answers_to_callers_are_copied_for_and_not_for_the_version_that_gave_them()
    {
        await PutAsync("other", ("1", 1), ("2", 1));
        await PostAsync("/v2/models/other/infer", "{}");
        using var named = await Gateway.Rest.PostAsync("/v2/models/other/versions/7/infer", null);
        using var read = await Gateway.Rest.GetAsync("/v2/models/other");
        await CountedAsync("other", "2", c => c.BothAnswered == 1);
        Assert.Equal(new ShadowCounts { FailurePValue = 1 }, await CountsAsync("other", "1"));
    }

    [ServerTheory]
    [InlineData("fail")]
    [InlineData("hang")]
    public async Task A_shadow_that_is_dead_or_slow_neither_delays_nor_fails_anybody_and_holds_no_more_than_it_may(string shadows)
    {
        await using var small = await platform.StartReplicaAsync(
            "--Shadows:MaxBytes=400000", "--Shadows:MaxWaiting=20", "--Shadows:Concurrency=4", "--Shadows:Timeout=00:00:02");
        var model = $"away-{shadows}";
        await small.Policies.PutAsync(PolicyOf(model));
        var alone = await AskAsync(small, model);
        await small.Policies.PutAsync(PolicyOf(model, ("2", 1)));
        platform.Peer.Shadows = shadows;
        var budget = small.Get<ShadowBudget>();
        using var done = new CancellationTokenSource();
        var most = 0L;
        var watch = Task.Run(async () =>
        {
            for (; !done.IsCancellationRequested; await Task.Delay(1)) most = Math.Max(most, budget.Taken);
        });
        var beside = await AskAsync(small, model);
        await done.CancelAsync();
        await watch;

        // All were answered, or the calls above would have thrown.
        output.WriteLine($"{shadows}: alone p50 {Quantile(alone, 0.5):0.0} ms, p99 {Quantile(alone, 0.99):0.0} ms; "
            + $"beside p50 {Quantile(beside, 0.5):0.0} ms, p99 {Quantile(beside, 0.99):0.0} ms; at most {most:N0} bytes of copies");
        Assert.InRange(most, 1, 400_000);
        Assert.InRange(platform.Peer.Hanging, 0, 4);
        // Each request is counted once, whatever became of its copy, and in the end nothing is held.
        var counts = await CountedAsync(
            model, "2", c => c.OnlyLiveAnswered + c.Dropped + c.NotCopied == 400, small);
        Assert.True(counts.OnlyLiveAnswered > 0, $"{counts}");
        if (shadows == "hang") Assert.True(counts.Dropped > 0, $"{counts}");
        await Eventually.Async(() => budget.Taken == 0, Deadline);
    }

    [ServerFact]
    public async Task Shadows_are_checked_kept_and_read_back_alike()
    {
        var put = await PutAsync("kept", ("2", 0.25));
        Assert.Equal([new Shadow { Version = "2", Rate = 0.25 }], put.Shadows);
        var json = await Gateway.Rest.GetFromJsonAsync<JsonObject>("/v1/traffic-policies/kept");
        Assert.Equal("""[{"version":"2","rate":0.25}]""", json?["shadows"]?.ToJsonString());
        // What is read can be put.
        using var again = await Gateway.Rest.PutAsJsonAsync("/v1/traffic-policies/kept", json);
        Assert.Equal(HttpStatusCode.OK, again.StatusCode);
        await using var restarted = await platform.StartReplicaAsync();
        var found = await restarted.Policies.GetTrafficPolicyAsync(new GetTrafficPolicyRequest { Model = "kept" }, deadline: Samples.Soon);
        Assert.Equal(put.Shadows, found.Shadows);

        var refused = await Assert.ThrowsAsync<RpcException>(() => PutAsync("kept", ("champion", 1), ("2", 0), ("2", 2)));
        foreach (var field in new[] { "shadows[0].version", "shadows[1].rate", "shadows[2].version", "shadows[2].rate" })
            Assert.Contains(field, refused.Status.Detail, StringComparison.Ordinal);
        var missing = await Assert.ThrowsAsync<RpcException>(
            () => Reports(Gateway).GetShadowReportAsync(new GetShadowReportRequest { Model = "kept", Version = "9" }, deadline: Samples.Soon).ResponseAsync);
        Assert.Equal(StatusCode.NotFound, missing.StatusCode);
    }

    private static TrafficPolicy PolicyOf(string model, params (string Version, double Rate)[] shadows)
    {
        var policy = Samples.Only(model, "1");
        policy.Shadows.Add(shadows.Select(s => new Shadow { Version = s.Version, Rate = s.Rate }));
        return policy;
    }

    private Task<TrafficPolicy> PutAsync(string model, params (string Version, double Rate)[] shadows) =>
        Gateway.Policies.PutAsync(PolicyOf(model, shadows));

    private static ShadowService.ShadowServiceClient Reports(GatewayReplica gateway) => new(gateway.Channel);

    /// <summary>The prediction's id.</summary>
    private async Task<string> PostAsync(string path, string body)
    {
        using var answer = await Gateway.Rest.PostAsync(path, new StringContent(body, Encoding.UTF8, "application/json"));
        answer.EnsureSuccessStatusCode();
        return answer.Headers.GetValues("x-mlops-prediction-id").Single();
    }

    /// <summary>400 requests of 20,000 bytes, eight at a time, half of them by gRPC; milliseconds each.</summary>
    private static async Task<double[]> AskAsync(GatewayReplica gateway, string model)
    {
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(gateway.Channel);
        var body = new byte[20_000];
        var taken = new System.Collections.Concurrent.ConcurrentBag<double>();
        await Parallel.ForAsync(0, 400, new ParallelOptions { MaxDegreeOfParallelism = 8 }, async (i, ct) =>
        {
            var began = Stopwatch.GetTimestamp();
            if (i % 2 == 0)
            {
                using var answer = await gateway.Rest.PostAsync($"/v2/models/{model}/infer", new ByteArrayContent(body), ct);
                answer.EnsureSuccessStatusCode();
            }
            else
            {
                await client.ModelInferAsync(
                    new ModelInferRequest { ModelName = model, RawInputContents = { ByteString.CopyFrom(body) } }, deadline: Samples.Soon, cancellationToken: ct);
            }

            taken.Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);
        });
        return [.. taken.Order()];
    }

    private static double Quantile(double[] sorted, double share) => sorted[(int)(share * (sorted.Length - 1))];

    private async Task<ShadowCounts> CountedAsync(string model, string version, Func<ShadowCounts, bool> isWanted, GatewayReplica? gateway = null)
    {
        ShadowCounts? last = null;
        try
        {
            await Eventually.Async(async () => isWanted(last = await CountsAsync(model, version, gateway)), Deadline);
            return last!; // the condition above held
        }
        catch (TimeoutException e)
        {
            throw new TimeoutException($"{e.Message}: {last}", e);
        }
    }

    // Of the counts alone: the peer has no prediction log.
    private Task<ShadowCounts> CountsAsync(string model, string version, GatewayReplica? gateway = null)
    {
        var replica = gateway ?? Gateway;
        var revision = replica.Get<MlOps.Gateway.Splits.PolicyBook>().Get(model).Revision;
        return replica.Get<ReportShadow>().CountAsync(model, version, revision, CancellationToken.None);
    }
}
