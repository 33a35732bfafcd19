using System.Net;
using System.Security.Cryptography;
using Google.Protobuf;
using Grpc.Core;
using Microsoft.AspNetCore.Server.Kestrel.Core;
using MlOps.Benchmarks.Serving;
using MlOps.Contracts.Registry.V1;

namespace MlOps.Benchmarks.Peers;

/// <summary>A registry of the one model that is served, in this process: it answers at start and is idle while there is load.</summary>
internal sealed class RegistryPeer : RegistryService.RegistryServiceBase
{
    private static readonly byte[] Onnx = new ServedModel().Onnx;
    private static readonly string Digest = $"sha256:{Convert.ToHexStringLower(SHA256.HashData(Onnx))}";

    public static async Task<WebApplication> StartAsync(int grpc)
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(kestrel => kestrel.Listen(IPAddress.Loopback, grpc, o => o.Protocols = HttpProtocols.Http2));
        builder.Services.AddGrpc();
        var app = builder.Build();
        app.MapGrpcService<RegistryPeer>();
        await app.StartAsync();
        return app;
    }

    public override Task<ListModelsResponse> ListModels(ListModelsRequest request, ServerCallContext context) =>
        Task.FromResult(new ListModelsResponse
        {
            Models = { new ListModelsResponse.Types.Model { Name = ServedModel.Name, LatestVersion = 1 } },
        });

    public override Task<ModelVersion> GetModelVersion(GetModelVersionRequest request, ServerCallContext context) =>
        Task.FromResult(new ModelVersion
        {
            Model = ServedModel.Name,
            Version = 1,
            ArtifactDigest = Digest,
            Signature = new Signature
            {
                Inputs = { new TensorSpec { Name = ServedModel.Input, Datatype = "FP32", Shape = { -1, ServedModel.Features } } },
                Outputs = { new TensorSpec { Name = ServedModel.Output, Datatype = "FP32", Shape = { -1, 1 } } },
            },
        });

    public override async Task DownloadArtifact(
        DownloadArtifactRequest request, IServerStreamWriter<DownloadArtifactResponse> responseStream, ServerCallContext context)
    {
        foreach (var chunk in Onnx.Chunk(256 << 10))
        {
            await responseStream.WriteAsync(new DownloadArtifactResponse { Chunk = ByteString.CopyFrom(chunk) });
        }
    }
}
