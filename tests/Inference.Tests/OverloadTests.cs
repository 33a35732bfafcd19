using System.Globalization;
using System.Net;
using System.Text.RegularExpressions;
using Grpc.Core;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Inference.Tests;

/// <summary>A replica that lets four in at once, held up by a feature store that never answers.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class OverloadTests(InferenceFixture fixture)
{
    [ServerFact]
    public async Task Beyond_its_limit_a_replica_refuses_at_once_shadows_first_and_says_when_to_come_again()
    {
        var model = await fixture.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature, "silent_features");
        using var silent = new System.Net.Sockets.TcpListener(IPAddress.Loopback, 0);
        silent.Start();
        await using var replica = await fixture.StartInferenceAsync(
            fixture.NewFolder("overload"), null, null, ("Inference__Admission__MaxConcurrency", "4"), ("Inference__FeatureTimeout", "00:01:00"),
            ("services__featurestore__grpc__0", $"http://{silent.LocalEndpoint}"));
        using var http = new HttpClient { BaseAddress = replica.Http };
        var tensors = new GRPCInferenceService.GRPCInferenceServiceClient(fixture.Channel(replica.Grpc));
        var whole = Tensor.ToJson([Tensor.Fp32("distance", 1), Tensor.Fp32("hour", 2), Tensor.Bytes("origin", "ATL")]);
        var infer = $"/v2/models/{model}/infer";
        using var stop = new CancellationTokenSource();

        // By entity, so that they wait for features.
        List<Task> held = [Hold(), Hold()];
        await Eventually.Async(() => IsUnderWayAsync(2), TimeSpan.FromSeconds(30));
        var shadow = await http.PostJsonAsync(infer, whole, ("x-mlops-tier", "shadow"));
        Assert.Equal(HttpStatusCode.TooManyRequests, shadow.Status);
        Assert.Equal("1", shadow.Header("Retry-After"));
        Assert.Equal("OVERLOADED", shadow.Header("mlops-code"));
        Assert.Contains("try again", shadow.Json.GetProperty("error").GetString(), StringComparison.Ordinal);
        await Eventually.Async(
            async () => (await http.PostJsonAsync(infer, whole, ("x-mlops-tier", "canary"))).Status == HttpStatusCode.OK, TimeSpan.FromSeconds(30));

        held.AddRange([Hold(), Hold()]);
        await Eventually.Async(() => IsUnderWayAsync(4), TimeSpan.FromSeconds(30));
        Assert.Equal(HttpStatusCode.TooManyRequests, (await http.PostJsonAsync(infer, whole)).Status);
        var request = new ModelInferRequest { ModelName = model };
        var refused = await Assert.ThrowsAsync<RpcException>(async () => await tensors.ModelInferAsync(request));
        Assert.Equal((StatusCode.ResourceExhausted, "OVERLOADED"), (refused.StatusCode, refused.Trailers.GetValue("mlops-code")));
        using (var stream = tensors.ModelStreamInfer())
        {
            await stream.RequestStream.WriteAsync(request);
            Assert.True(await stream.ResponseStream.MoveNext(CancellationToken.None));
            Assert.Contains("try again", stream.ResponseStream.Current.ErrorMessage, StringComparison.Ordinal);
            await stream.RequestStream.CompleteAsync();
        }

        // Only predictions are counted, and each tier by itself.
        Assert.Equal(HttpStatusCode.OK, (await http.GetAsync(new Uri("/v2/models", UriKind.Relative))).StatusCode);
        var metrics = await http.GetStringAsync(new Uri("/metrics", UriKind.Relative));
        Assert.Contains("mlops_inference_shed_total{tier=\"shadow\"} 1", metrics, StringComparison.Ordinal);
        var stable = Regex.Match(metrics, "mlops_inference_shed_total{tier=\"stable\"} (\\d+)").Groups[1].Value;
        Assert.InRange(int.Parse(stable, CultureInfo.InvariantCulture), 3, int.MaxValue);

        await stop.CancelAsync();
        await Task.WhenAll(held);
        await Eventually.Async(async () => (await http.PostJsonAsync(infer, whole)).Status == HttpStatusCode.OK, TimeSpan.FromSeconds(30));

        async Task Hold()
        {
            try
            {
                // A replica short of processors may refuse even these at first.
                while (true)
                {
                    using var content = new StringContent("""{"rows":[{"distance":1,"origin":"ATL"}]}""");
                    using var _ = await http.PostAsync(new Uri($"/v1/models/{model}/predict", UriKind.Relative), content, stop.Token);
                }
            }
            catch (OperationCanceledException)
            {
                // As it should.
            }
        }

        async Task<bool> IsUnderWayAsync(int count) =>
            (await http.GetStringAsync(new Uri("/metrics", UriKind.Relative))).Contains($"mlops_inference_concurrency {count}\n", StringComparison.Ordinal);
    }
}
