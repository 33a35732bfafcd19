using Grpc.Core;
using Grpc.Net.Client;
using MlOps.Contracts.OpenInference;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.Conformance;

/// <summary>Every call of the service by name: what it answers, and how it refuses.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class RpcTests(InferenceFixture services)
{
    /// <summary>Calls of one model: by name and version, answering the version meant.</summary>
    private static readonly Dictionary<string, Func<GRPCInferenceService.GRPCInferenceServiceClient, string, string, Task<string>>> Calls = new()
    {
        ["ModelReady"] = async (client, model, version) =>
            (await client.ModelReadyAsync(new ModelReadyRequest { Name = model, Version = version })).Ready ? "ready" : "not ready",
        ["ModelMetadata"] = async (client, model, version) =>
            (await client.ModelMetadataAsync(new ModelMetadataRequest { Name = model, Version = version })) is var metadata
                ? $"{metadata.Name} {metadata.Platform} {metadata.Inputs.Single().Name} {metadata.Outputs.Single().Datatype}"
                : "",
        ["ModelInfer"] = async (client, model, version) =>
            (await client.ModelInferAsync(Carriers.RequestOf(model, version, true, [Tensor.Fp32("x", 1)]))).ModelName,
        ["ModelConfig"] = async (client, model, version) =>
            (await client.ModelConfigAsync(new ModelConfigRequest { Name = model, Version = version })).Config.Name,
        ["ModelStatistics"] = async (client, model, version) =>
            (await client.ModelStatisticsAsync(new ModelStatisticsRequest { Name = model, Version = version })).ModelStats.Single().Name,
    };

    public static TheoryData<string> OfModels => [.. Calls.Keys];

    [ServerTheory]
    [MemberData(nameof(OfModels))]
    public async Task A_call_of_a_model_answers_for_number_alias_and_none_and_refuses_what_is_not_there(string name)
    {
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);
        await services.SetAliasAsync(model, "champion", 1);
        await Eventually.Async(
            async () => (await services.InferAsync(Carrier.Raw, model, "champion", [Tensor.Fp32("x", 1)])).Kind == "OK",
            TimeSpan.FromSeconds(30), "the alias is known");
        var expected = name switch { "ModelReady" => "ready", "ModelMetadata" => $"{model} onnxruntime_onnx x FP32", _ => model };

        foreach (var version in (string[])["", "1", "champion", "latest"])
            Assert.Equal(expected, await Calls[name](services.Tensors, model, version));

        foreach (var (unknown, version) in ((string, string)[])[("no-such-model", ""), (model, "2"), (model, "no-such-alias"), ("\0", ""), (model, "\0")])
        {
            var refused = await Assert.ThrowsAsync<RpcException>(() => Calls[name](services.Tensors, unknown, version));
            Assert.Equal(StatusCode.NotFound, refused.StatusCode);
            Assert.NotEmpty(refused.Status.Detail);
        }
    }

    [ServerFact]
    public async Task The_server_says_that_it_lives_is_ready_and_what_it_is()
    {
        Assert.True((await services.Tensors.ServerLiveAsync(new ServerLiveRequest())).Live);
        Assert.True((await services.Tensors.ServerReadyAsync(new ServerReadyRequest())).Ready);
        var metadata = await services.Tensors.ServerMetadataAsync(new ServerMetadataRequest());
        Assert.Equal("mlops-inference", metadata.Name);
        Assert.Matches(@"^\d+\.\d+\.\d+$", metadata.Version);
        Assert.Contains("binary_tensor_data", metadata.Extensions);
    }

    [ServerFact]
    public async Task A_request_without_a_model_is_not_found()
    {
        var refused = await Assert.ThrowsAsync<RpcException>(() => services.Tensors.ModelInferAsync(new ModelInferRequest()).ResponseAsync);

        Assert.Equal(StatusCode.NotFound, refused.StatusCode);
    }

    /// <summary>Of Triton's service: memory no client shares with a server elsewhere, and settings that are the platform's.</summary>
    [ServerTheory]
    [InlineData("SystemSharedMemoryStatus")]
    [InlineData("SystemSharedMemoryRegister")]
    [InlineData("SystemSharedMemoryUnregister")]
    [InlineData("CudaSharedMemoryStatus")]
    [InlineData("CudaSharedMemoryRegister")]
    [InlineData("CudaSharedMemoryUnregister")]
    [InlineData("TraceSetting")]
    [InlineData("LogSettings")]
    [InlineData("NoSuchCall")]
    public async Task A_call_that_is_not_served_is_unimplemented(string name)
    {
        var asIs = Marshallers.Create<byte[]>(bytes => bytes, bytes => bytes);
        var method = new Method<byte[], byte[]>(MethodType.Unary, "inference.GRPCInferenceService", name, asIs, asIs);
        using var channel = GrpcChannel.ForAddress(services.Inference.Grpc);

        var refused = await Assert.ThrowsAsync<RpcException>(
            () => channel.CreateCallInvoker().AsyncUnaryCall(method, null, default, []).ResponseAsync);

        Assert.Equal(StatusCode.Unimplemented, refused.StatusCode);
    }

    [ServerFact]
    public async Task Hundreds_of_calls_at_once_on_one_connection_each_get_their_own_answer()
    {
        var model = await services.NewModelAsync(Graphs.Times(2), Graphs.TimesSignature);

        var answers = await Task.WhenAll(Enumerable.Range(0, 500).Select(async i =>
        {
            var answer = await services.Tensors.ModelInferAsync(Carriers.RequestOf(model, "", i % 2 == 0, [Tensor.Fp32("x", i)]));
            return answer.RawOutputContents.Count > 0
                ? BitConverter.ToSingle(answer.RawOutputContents[0].Span)
                : answer.Outputs[0].Contents.Fp32Contents[0];
        }));

        Assert.Equal(Enumerable.Range(0, 500).Select(i => 2f * i), answers);
    }
}
