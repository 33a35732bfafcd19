using Grpc.Core;
using MlOps.Contracts.Registry.V1;
using MlOps.Registry.Aliases;
using MlOps.Registry.Artifacts;
using MlOps.Registry.Runs;
using MlOps.Registry.Versions;

namespace MlOps.Registry;

/// <summary>The gRPC surface <c>mlops.registry.v1</c>: hands each call to its slice.</summary>
internal sealed class RegistryGrpcService(
    CreateRun createRun, LogBatch logBatch, FinishRun finishRun, GetRun getRun, ListRuns listRuns,
    UploadArtifact uploadArtifact, DownloadArtifact downloadArtifact,
    RegisterModelVersion registerModelVersion, GetModelVersion getModelVersion, ListModelVersions listModelVersions,
    ListModels listModels, SetAlias setAlias, DeleteAlias deleteAlias) : RegistryService.RegistryServiceBase
{
    public override Task<Run> CreateRun(CreateRunRequest request, ServerCallContext context) =>
        createRun.HandleAsync(request, context.CancellationToken);

    public override async Task<LogBatchResponse> LogBatch(LogBatchRequest request, ServerCallContext context)
    {
        await logBatch.HandleAsync(request, context.CancellationToken);
        return new LogBatchResponse();
    }

    public override Task<Run> FinishRun(FinishRunRequest request, ServerCallContext context) =>
        finishRun.HandleAsync(request, context.CancellationToken);

    public override Task<Run> GetRun(GetRunRequest request, ServerCallContext context) =>
        getRun.HandleAsync(request.RunId, context.CancellationToken);

    public override Task<ListRunsResponse> ListRuns(ListRunsRequest request, ServerCallContext context) =>
        listRuns.HandleAsync(request, context.CancellationToken);

    public override Task<Artifact> UploadArtifact(
        IAsyncStreamReader<UploadArtifactRequest> requestStream, ServerCallContext context) =>
        uploadArtifact.HandleAsync(requestStream.ReadAllAsync(context.CancellationToken), context.CancellationToken);

    public override Task DownloadArtifact(
        DownloadArtifactRequest request, IServerStreamWriter<DownloadArtifactResponse> responseStream,
        ServerCallContext context) =>
        downloadArtifact.HandleAsync(request.Digest, responseStream.WriteAsync, context.CancellationToken);

    public override Task<ModelVersion> RegisterModelVersion(
        RegisterModelVersionRequest request, ServerCallContext context) =>
        registerModelVersion.HandleAsync(request, context.CancellationToken);

    public override Task<ModelVersion> GetModelVersion(GetModelVersionRequest request, ServerCallContext context) =>
        getModelVersion.HandleAsync(request, context.CancellationToken);

    public override async Task<ListModelVersionsResponse> ListModelVersions(
        ListModelVersionsRequest request, ServerCallContext context) =>
        new() { Versions = { await listModelVersions.HandleAsync(request.Model, context.CancellationToken) } };

    public override async Task<ListModelsResponse> ListModels(ListModelsRequest request, ServerCallContext context) =>
        new() { Models = { await listModels.HandleAsync(context.CancellationToken) } };

    public override Task<ModelVersion> SetAlias(SetAliasRequest request, ServerCallContext context) =>
        setAlias.HandleAsync(request, context.CancellationToken);

    public override async Task<DeleteAliasResponse> DeleteAlias(DeleteAliasRequest request, ServerCallContext context)
    {
        await deleteAlias.HandleAsync(request, context.CancellationToken);
        return new DeleteAliasResponse();
    }
}
