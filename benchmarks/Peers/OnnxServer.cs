using System.Net;
using System.Runtime.InteropServices;
using System.Text.Json.Serialization;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using Microsoft.ML.OnnxRuntime;
using MlOps.Benchmarks.Serving;
using MlOps.Contracts.OpenInference;
using SessionOptions = Microsoft.ML.OnnxRuntime.SessionOptions;

namespace MlOps.Benchmarks.Peers;

/// <summary>
/// What anyone writes in an afternoon: Grpc.AspNetCore, and Kestrel with source-generated JSON, before an ONNX Runtime session with
/// one thread. It checks nothing, logs nothing and knows one model.
/// </summary>
internal static partial class OnnxServer
{
    public static async Task RunAsync(int rest, int grpc, string model)
    {
        using var options = new SessionOptions { IntraOpNumThreads = 1, InterOpNumThreads = 1 };
        options.AddSessionConfigEntry("session.intra_op.allow_spinning", "0");
        using var session = new InferenceSession(model, options);
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, rest, o => o.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, grpc, o => o.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddSingleton(session);
        builder.Services.AddGrpc(o => o.MaxReceiveMessageSize = null);
        builder.Services.ConfigureHttpJsonOptions(json => json.SerializerOptions.TypeInfoResolverChain.Insert(0, Json.Default));
        var app = builder.Build();
        app.MapGrpcService<Tensors>();
        app.MapPost("/v2/models/{model}/infer", (string model, Request request) =>
        {
            var input = request.Inputs[0];
            return new Answer(model, [new Output(ServedModel.Output, "FP32", [input.Shape[0], 1], Run(session, input.Data))]);
        });
        await app.RunAsync();
    }

    private static float[] Run(InferenceSession session, float[] rows)
    {
        using var run = new RunOptions();
        using var input = OrtValue.CreateTensorValueFromMemory(rows, [rows.Length / ServedModel.Features, ServedModel.Features]);
        using var results = session.Run(run, [ServedModel.Input], [input], [ServedModel.Output]);
        return results[0].GetTensorDataAsSpan<float>().ToArray();
    }

    private sealed class Tensors(InferenceSession session) : GRPCInferenceService.GRPCInferenceServiceBase
    {
        public override Task<ModelInferResponse> ModelInfer(ModelInferRequest request, ServerCallContext context)
        {
            var values = Run(session, MemoryMarshal.Cast<byte, float>(request.RawInputContents[0].Span).ToArray());
            return Task.FromResult(new ModelInferResponse
            {
                ModelName = request.ModelName,
                ModelVersion = "1",
                Outputs =
                {
                    new ModelInferResponse.Types.InferOutputTensor
                    {
                        Name = ServedModel.Output, Datatype = "FP32", Shape = { values.Length, 1 },
                    },
                },
                RawOutputContents = { ByteString.CopyFrom(MemoryMarshal.AsBytes<float>(values)) },
            });
        }
    }

    private sealed record Input(string Name, string Datatype, int[] Shape, float[] Data);

    private sealed record Request(Input[] Inputs);

    private sealed record Output(string Name, string Datatype, int[] Shape, float[] Data);

    private sealed record Answer(
        [property: JsonPropertyName("model_name")] string ModelName, Output[] Outputs);

    [JsonSourceGenerationOptions(System.Text.Json.JsonSerializerDefaults.Web)]
    [JsonSerializable(typeof(Request))]
    [JsonSerializable(typeof(Answer))]
    private sealed partial class Json : JsonSerializerContext;
}
