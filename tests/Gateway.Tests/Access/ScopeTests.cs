using Google.Protobuf;
using Grpc.Core;
using Grpc.Net.Client;
using Grpc.Net.Compression;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Access;

/// <summary>A right over some models only holds by gRPC as well, where the model is inside the message.</summary>
public sealed class ScopeTests(ClosedPlatform<ScopeTests> platform) : IClassFixture<ClosedPlatform<ScopeTests>>
{
    private GRPCInferenceService.GRPCInferenceServiceClient OpenInference => new(platform.Gateway.Channel);

    [ServerFact]
    public async Task The_message_decides_and_the_service_sees_none_that_is_refused()
    {
        var key = await MineAsync();
        var answer = await OpenInference.ModelInferAsync(new ModelInferRequest { ModelName = "mine-1" }, key, Samples.Soon);
        Assert.Equal("mine-1", answer.ModelName);

        await DeniedAsync(key, new ModelInferRequest { ModelName = "yours-1" });
        await DeniedAsync(key, new ModelInferRequest());
        Assert.DoesNotContain(Seen(), m => m.ModelName is "yours-1" or "");
    }

    [ServerFact]
    public async Task A_second_name_behind_megabytes_of_the_first_is_found_in_time()
    {
        var key = await MineAsync();
        // Parsers take the last of a repeated field; this one comes long after what any peek looks at.
        var hidden = new ModelInferRequest { ModelName = "mine-2", Id = new string('x', 3_000_000) };
        byte[] bytes = [.. hidden.ToByteArray(), .. new ModelInferRequest { ModelName = "yours-2" }.ToByteArray()];
        Assert.Equal("yours-2", ModelInferRequest.Parser.ParseFrom(bytes).ModelName);

        var raw = Marshallers.Create<byte[]>(b => b, b => b);
        var method = new Method<byte[], byte[]>(MethodType.Unary, "inference.GRPCInferenceService", "ModelInfer", raw, raw);
        var failure = await Assert.ThrowsAsync<RpcException>(() => platform.Gateway.Channel.CreateCallInvoker()
            .AsyncUnaryCall(method, null, new CallOptions(key, Samples.Soon), bytes).ResponseAsync);
        Assert.Equal(StatusCode.PermissionDenied, failure.StatusCode);
        Assert.DoesNotContain(Seen(), m => m.ModelName == "yours-2");
    }

    [ServerFact]
    public async Task Every_message_of_a_stream_is_judged()
    {
        var key = await MineAsync();
        using var stream = OpenInference.ModelStreamInfer(key, Samples.Soon);
        for (var i = 0; i < 3; i++)
        {
            await stream.RequestStream.WriteAsync(new ModelInferRequest { ModelName = "mine-3", Id = $"{i}" });
            Assert.True(await stream.ResponseStream.MoveNext(CancellationToken.None));
        }

        await stream.RequestStream.WriteAsync(new ModelInferRequest { ModelName = "yours-3" });
        var failure = await Assert.ThrowsAsync<RpcException>(() => stream.ResponseStream.MoveNext(CancellationToken.None));
        Assert.Equal(StatusCode.PermissionDenied, failure.StatusCode);
        Assert.DoesNotContain(Seen(), m => m.ModelName == "yours-3");
    }

    [ServerFact]
    public async Task A_compressed_message_is_judged_like_any_other()
    {
        var key = await MineAsync();
        using var channel = GrpcChannel.ForAddress(platform.Gateway.Grpc, new GrpcChannelOptions
        {
            CompressionProviders = [new GzipCompressionProvider(System.IO.Compression.CompressionLevel.Fastest)],
        });
        key.Add("grpc-internal-encoding-request", "gzip");
        var client = new GRPCInferenceService.GRPCInferenceServiceClient(channel);
        var answer = await client.ModelInferAsync(new ModelInferRequest { ModelName = "mine-4", Id = new string('y', 50_000) }, key, Samples.Soon);
        Assert.Equal("mine-4", answer.ModelName);

        var failure = await Assert.ThrowsAsync<RpcException>(async () =>
            await client.ModelInferAsync(new ModelInferRequest { ModelName = "yours-4", Id = new string('y', 50_000) }, key, Samples.Soon));
        Assert.Equal(StatusCode.PermissionDenied, failure.StatusCode);
        Assert.DoesNotContain(Seen(), m => m.ModelName == "yours-4");
    }

    [ServerFact]
    public async Task A_split_and_a_scope_go_together()
    {
        await platform.Gateway.Policies.PutTrafficPolicyAsync(
            new PutTrafficPolicyRequest { Policy = Samples.Only("mine-5", "7") }, platform.Admin, Samples.Soon);
        var key = await MineAsync();
        var answer = await OpenInference.ModelInferAsync(new ModelInferRequest { ModelName = "mine-5" }, key, Samples.Soon);
        Assert.Equal("7", answer.ModelVersion);
        // Large enough not to be whole in the first read, which makes the split hold bytes back.
        var large = new ModelInferRequest { ModelName = "mine-5", RawInputContents = { ByteString.CopyFrom(new byte[2_000_000]) } };
        Assert.Equal("7", (await OpenInference.ModelInferAsync(large, key, Samples.Soon)).ModelVersion);
        large.ModelName = "yours-5";
        await DeniedAsync(key, large);
    }

    [ServerFact]
    public async Task The_gateways_own_calls_are_judged_too()
    {
        var key = ClosedPlatform<ScopeTests>.As((await platform.KeyAsync(("operator", "mine-*"))).Text);
        await platform.Gateway.Policies.PutTrafficPolicyAsync(
            new PutTrafficPolicyRequest { Policy = Samples.Only("mine-6", "1") }, key, Samples.Soon);
        var failure = await Assert.ThrowsAsync<RpcException>(async () => await platform.Gateway.Policies.PutTrafficPolicyAsync(
            new PutTrafficPolicyRequest { Policy = Samples.Only("yours-6", "1") }, key, Samples.Soon));
        Assert.Equal((StatusCode.PermissionDenied, "PERMISSION_DENIED"), (failure.StatusCode, failure.Trailers.GetValue("mlops-code")));
    }

    private async Task<Metadata> MineAsync() =>
        ClosedPlatform<ScopeTests>.As((await platform.KeyAsync(("predict", "mine-*"))).Text);

    private async Task DeniedAsync(Metadata key, ModelInferRequest request)
    {
        var failure = await Assert.ThrowsAsync<RpcException>(async () => await OpenInference.ModelInferAsync(request, key, Samples.Soon));
        Assert.Equal((StatusCode.PermissionDenied, "PERMISSION_DENIED"), (failure.StatusCode, failure.Trailers.GetValue("mlops-code")));
    }

    private IEnumerable<ModelInferRequest> Seen() => platform.Peer.Requests
        .Where(r => r.Path.StartsWith("/inference.", StringComparison.Ordinal)).Select(r => ModelInferRequest.Parser.ParseFrom(r.Body));
}
