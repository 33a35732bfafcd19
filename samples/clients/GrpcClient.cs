using Grpc.Core;
using Grpc.Net.Client;
using MlOps.Contracts.OpenInference;

namespace MlOps.Clients;

/// <summary>The Open Inference Protocol over gRPC, tensors as typed contents.</summary>
internal sealed class GrpcClient(Uri address, string key) : IDisposable
{
    private readonly GrpcChannel _channel = GrpcChannel.ForAddress(address);

    /// <exception cref="RpcException">The platform is away, or refuses and says why.</exception>
    public async Task<Answer> InferAsync(string model, string version, Tensor[] tensors)
    {
        var request = new ModelInferRequest { ModelName = model, ModelVersion = version };
        request.Inputs.Add(tensors.Select(t => new ModelInferRequest.Types.InferInputTensor
        {
            Name = t.Name,
            Datatype = t.Datatype,
            Shape = { t.Values.Length, 1 },
            Contents = t.ToContents(),
        }));
        var headers = key.Length > 0 ? new Metadata { { "x-api-key", key } } : null;
        var answer = await new GRPCInferenceService.GRPCInferenceServiceClient(_channel)
            .ModelInferAsync(request, headers, TimeProvider.System.GetUtcNow().AddSeconds(10).UtcDateTime);
        return new Answer(
            "gRPC", answer.ModelVersion, answer.Parameters["prediction_id"].StringParam,
            answer.Outputs.ToDictionary(output => output.Name, output => ValuesOf(output.Contents)));
    }

    private static object[] ValuesOf(InferTensorContents contents) =>
    [
        .. contents.Fp32Contents.Select(v => (object)(double)v), .. contents.Fp64Contents.Cast<object>(),
        .. contents.IntContents.Select(v => (object)(long)v), .. contents.Int64Contents.Cast<object>(),
        .. contents.UintContents.Select(v => (object)(long)v), .. contents.Uint64Contents.Cast<object>(),
        .. contents.BoolContents.Cast<object>(), .. contents.BytesContents.Select(v => v.ToStringUtf8()),
    ];

    public void Dispose() => _channel.Dispose();
}
