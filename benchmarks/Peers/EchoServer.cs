using System.Net;
using Grpc.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Tables.V1;

namespace MlOps.Benchmarks.Peers;

/// <summary>Bare Kestrel: reads the request, answers a prediction of 0 and does nothing else. The ceiling of any server here.</summary>
internal static class EchoServer
{
    public static async Task RunAsync(int rest, int grpc)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, rest, o => o.Protocols = HttpProtocols.Http1);
            kestrel.Listen(IPAddress.Loopback, grpc, o => o.Protocols = HttpProtocols.Http2);
        });
        builder.Services.AddGrpc();
        var app = builder.Build();
        app.MapGrpcService<Tensors>();
        app.MapGrpcService<Keys>();
        app.MapPost("/{**path}", async (HttpContext http) =>
        {
            await http.Request.Body.CopyToAsync(Stream.Null, http.RequestAborted);
            http.Response.ContentType = "application/json";
            await http.Response.WriteAsync("""{"model_name":"echo","outputs":[{"name":"prediction","shape":[1,1],"datatype":"FP32","data":[0]}]}""");
        });
        await app.RunAsync();
    }

    private sealed class Tensors : GRPCInferenceService.GRPCInferenceServiceBase
    {
        public override Task<ModelInferResponse> ModelInfer(ModelInferRequest request, ServerCallContext context) =>
            Task.FromResult(new ModelInferResponse
            {
                ModelName = request.ModelName,
                Outputs =
                {
                    new ModelInferResponse.Types.InferOutputTensor
                    {
                        Name = "prediction", Datatype = "FP32", Shape = { 1, 1 }, Contents = new InferTensorContents { Fp32Contents = { 0 } },
                    },
                },
            });
    }

    private sealed class Keys : InferenceService.InferenceServiceBase
    {
        public override Task<PredictResponse> Predict(PredictRequest request, ServerCallContext context) =>
            Task.FromResult(new PredictResponse
            {
                Model = request.Model,
                Outputs = new Table { Columns = { new Column { Name = "prediction", Doubles = new DoubleValues { Values = { 0 } } } } },
            });
    }
}
