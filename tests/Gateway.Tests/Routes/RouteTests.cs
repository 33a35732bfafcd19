using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Registry.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Routes;

public sealed class RouteTests(Platform<RouteTests> platform) : IClassFixture<Platform<RouteTests>>
{
    [ServerFact]
    public async Task A_two_way_stream_passes_message_by_message()
    {
        using var call = new FeatureStoreService.FeatureStoreServiceClient(platform.Gateway.Channel)
            .GetHistoricalFeatures(deadline: Samples.Soon);
        for (var i = 0; i < 20; i++)
        {
            var rows = new Table { Columns = { new Column { Name = $"c{i}" } } };
            await call.RequestStream.WriteAsync(new GetHistoricalFeaturesRequest { Rows = rows });
            // Only an answer to this message lets the next one go.
            Assert.True(await call.ResponseStream.MoveNext(CancellationToken.None));
            Assert.Equal(rows, call.ResponseStream.Current);
        }

        await call.RequestStream.CompleteAsync();
        Assert.False(await call.ResponseStream.MoveNext(CancellationToken.None));
    }

    [ServerFact]
    public async Task One_trace_spans_client_gateway_and_service()
    {
        using var activity = new Activity("a client").SetIdFormat(ActivityIdFormat.W3C).Start();
        using var rest = await platform.Gateway.Rest.PostAsync("/v2/models/traced/infer", null);
        await new GRPCInferenceService.GRPCInferenceServiceClient(platform.Gateway.Channel)
            .ModelInferAsync(new ModelInferRequest { ModelName = "traced" }, deadline: Samples.Soon);

        var seen = platform.Peer.Requests.Where(r => r.TraceParent?.Contains(activity.TraceId.ToString(), StringComparison.Ordinal) == true);
        Assert.Equal(["/inference.GRPCInferenceService/ModelInfer", "/v2/models/traced/infer"], seen.Select(s => s.Path).Order(StringComparer.Ordinal));
    }

    [ServerFact]
    public async Task An_unknown_path_is_told_what_exists()
    {
        using var response = await platform.Gateway.Rest.GetAsync("/v3/nothing.json");
        Assert.Equal(HttpStatusCode.NotFound, response.StatusCode);
        Assert.Equal("application/problem+json", response.Content.Headers.ContentType?.MediaType);
        var detail = (await response.Content.ReadFromJsonAsync<JsonObject>())?["detail"]?.GetValue<string>();
        Assert.Contains("/v2", detail, StringComparison.Ordinal);
        Assert.Contains("mlops.gateway.v1.GatewayService", detail, StringComparison.Ordinal);
    }

    [ServerTheory]
    [InlineData("mlops.unknown.v1.Nobody", "Call")]
    [InlineData("mlops.gateway.v1.GatewayService", "Nothing")]
    [InlineData("mlops.registry.v1.RegistryService", "Nothing")]
    public async Task An_unknown_grpc_call_is_unimplemented(string service, string method)
    {
        var marshaller = Marshallers.Create(_ => [], _ => new object());
        var call = platform.Gateway.Channel.CreateCallInvoker().AsyncUnaryCall(
            new Method<object, object>(MethodType.Unary, service, method, marshaller, marshaller), null,
            new CallOptions(deadline: Samples.Soon), new object());
        Assert.Equal(StatusCode.Unimplemented, (await Assert.ThrowsAsync<RpcException>(() => call.ResponseAsync)).StatusCode);
    }

    [ServerFact]
    public async Task Every_service_of_the_contracts_is_routed()
    {
        // The peer serves none of the registry's calls: its own UNIMPLEMENTED comes through.
        var failure = await Assert.ThrowsAsync<RpcException>(async () =>
            await new RegistryService.RegistryServiceClient(platform.Gateway.Channel).GetModelVersionAsync(
                new GetModelVersionRequest(), deadline: Samples.Soon));
        Assert.Equal(StatusCode.Unimplemented, failure.StatusCode);

        var all = typeof(GatewayService).Assembly.GetTypes()
            .Select(t => t.GetProperty("Descriptor")?.GetValue(null)).OfType<Google.Protobuf.Reflection.ServiceDescriptor>();
        // Those of mlops.gateway.v1 are the gateway's own.
        Assert.Equal(
            all.Where(s => s.File.Package != GatewayService.Descriptor.File.Package).Select(s => s.FullName).Order(StringComparer.Ordinal),
            MlOps.Gateway.Routes.PlatformService.All.SelectMany(s => s.GrpcServices).Select(s => s.FullName).Order(StringComparer.Ordinal));
    }

    [ServerFact]
    public async Task A_rest_body_over_the_limit_is_refused_in_the_protocols_words()
    {
        await using var narrow = await platform.StartReplicaAsync("--Gateway:MaxRequestBodyBytes=2000");
        using var fits = await narrow.Rest.PostAsync("/v2/models/m/infer", new ByteArrayContent(new byte[2000]));
        Assert.Equal(HttpStatusCode.OK, fits.StatusCode);
        using var known = await narrow.Rest.PostAsync("/v2/models/m/infer", new ByteArrayContent(new byte[2001]));
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, known.StatusCode);
        Assert.NotNull((await known.Content.ReadFromJsonAsync<JsonObject>())?["error"]);

        using var request = new HttpRequestMessage(HttpMethod.Post, "/v2/models/m/infer")
        {
            Content = new ByteArrayContent(new byte[200_000]),
            Headers = { TransferEncodingChunked = true },
        };
        using var unknown = await narrow.Rest.SendAsync(request);
        Assert.Equal(HttpStatusCode.RequestEntityTooLarge, unknown.StatusCode);
    }

    [ServerFact]
    public async Task Health_is_that_of_the_whole_platform()
    {
        // The bus connects in the background, and until then the gateway is not well itself.
        await Eventually.Async(
            async () => (await platform.Gateway.Rest.GetAsync("/health")).IsSuccessStatusCode, TimeSpan.FromSeconds(30));
        using var healthy = await platform.Gateway.Rest.GetAsync("/health");
        var all = await healthy.Content.ReadFromJsonAsync<JsonObject>();
        Assert.Equal((HttpStatusCode.OK, "healthy"), (healthy.StatusCode, all?["status"]?.GetValue<string>()));
        Assert.Equal(
            ["featurestore", "gateway", "inference", "monitoring", "registry", "training"],
            all?["services"]?.AsObject().Select(s => s.Key).Order(StringComparer.Ordinal));

        platform.Peer.IsHealthy = false;
        using var unwell = await platform.Gateway.Rest.GetAsync("/health");
        platform.Peer.IsHealthy = true;
        Assert.Equal(HttpStatusCode.ServiceUnavailable, unwell.StatusCode);
        var services = (await unwell.Content.ReadFromJsonAsync<JsonObject>())?["services"];
        Assert.Equal("unhealthy", services?["inference"]?["status"]?.GetValue<string>());
        Assert.Equal("healthy", services?["gateway"]?["status"]?.GetValue<string>());

        Assert.Equal("alive", await platform.Gateway.Rest.GetStringAsync("/alive"));
        Assert.Equal("alive", await platform.Gateway.Rest.GetStringAsync("/healthz"));
        using var ready = await platform.Gateway.Rest.GetAsync("/readyz");
        Assert.Equal(HttpStatusCode.OK, ready.StatusCode);
        using var same = await platform.Gateway.Rest.GetAsync("/v1/health");
        Assert.NotNull((await same.Content.ReadFromJsonAsync<JsonObject>())?["services"]?["registry"]?["status"]);
    }
}
