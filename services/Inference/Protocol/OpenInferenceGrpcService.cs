using System.Globalization;
using Google.Protobuf;
using Grpc.Core;
using MlOps.Contracts.OpenInference;
using MlOps.Inference.Admission;
using MlOps.Inference.Models;
using MlOps.Inference.PredictionLog;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>The Open Inference Protocol v2 over gRPC: tensors in, tensors out, with Triton's additions.</summary>
internal sealed class OpenInferenceGrpcService(
    ModelHost host, Predictor predictor, Logbook logbook, RequestGate gate, TimeProvider time)
    : GRPCInferenceService.GRPCInferenceServiceBase
{
    public override Task<ServerLiveResponse> ServerLive(ServerLiveRequest request, ServerCallContext context) =>
        Task.FromResult(new ServerLiveResponse { Live = true });

    public override Task<ServerReadyResponse> ServerReady(ServerReadyRequest request, ServerCallContext context) =>
        Task.FromResult(new ServerReadyResponse { Ready = host.IsReady });

    public override async Task<ModelReadyResponse> ModelReady(ModelReadyRequest request, ServerCallContext context) =>
        new() { Ready = await host.IsLoadedAsync(request.Name, request.Version, context.CancellationToken) };

    public override Task<ServerMetadataResponse> ServerMetadata(ServerMetadataRequest request, ServerCallContext context) =>
        Task.FromResult(new ServerMetadataResponse
        {
            Name = ServerIdentity.Name,
            Version = ServerIdentity.Version,
            Extensions = { ServerIdentity.Extensions },
        });

    public override async Task<ModelMetadataResponse> ModelMetadata(ModelMetadataRequest request, ServerCallContext context)
    {
        using var lease = await host.AcquireAsync(request.Name, request.Version, context.CancellationToken);
        var model = lease.Model;
        var answer = new ModelMetadataResponse { Name = model.Model, Platform = model.Choice.Platform };
        answer.Versions.Add(host.LoadedVersions(model.Model));
        answer.Inputs.Add(model.Inputs.Select(Describe));
        answer.Outputs.Add(model.Outputs.Select(Describe));
        answer.Properties.Add(ModelProperties.Of(model));
        return answer;
    }

    [Predicts]
    public override Task<ModelInferResponse> ModelInfer(ModelInferRequest request, ServerCallContext context)
    {
        var http = context.GetHttpContext();
        return InferAsync(request, Call.Begin(http.Request, "grpc", time), http.Response.Headers, context.CancellationToken);
    }

    public override async Task ModelStreamInfer(
        IAsyncStreamReader<ModelInferRequest> requestStream, IServerStreamWriter<ModelStreamInferResponse> responseStream,
        ServerCallContext context)
    {
        var ct = context.CancellationToken;
        var stream = Call.Begin(context.GetHttpContext().Request, "grpc", time);
        string? routed = null;
        await foreach (var request in requestStream.ReadAllAsync(ct))
        {
            // The gateway chose a version by the stream's first message; it means nothing to another model.
            routed ??= request.ModelName;
            var call = request.ModelName == routed
                ? stream with { StartedAt = time.GetTimestamp() }
                : stream with { StartedAt = time.GetTimestamp(), VersionHint = "", Variant = "" };
            await responseStream.WriteAsync(await AnswerWithinLimitAsync(request, call, ct), ct);
        }
    }

    public override async Task<ModelConfigResponse> ModelConfig(ModelConfigRequest request, ServerCallContext context)
    {
        using var lease = await host.AcquireAsync(request.Name, request.Version, context.CancellationToken);
        return new ModelConfigResponse { Config = ModelConfiguration.Of(lease.Model) };
    }

    public override async Task<ModelStatisticsResponse> ModelStatistics(ModelStatisticsRequest request, ServerCallContext context)
    {
        var answer = new ModelStatisticsResponse();
        foreach (var model in await host.LoadedAsync(request.Name, request.Version, context.CancellationToken))
        {
            answer.ModelStats.Add(ModelStats.Of(model).ToMessage());
        }

        return answer;
    }

    public override Task<RepositoryIndexResponse> RepositoryIndex(RepositoryIndexRequest request, ServerCallContext context)
    {
        ModelRepository.CheckName(request.RepositoryName);
        var answer = new RepositoryIndexResponse();
        foreach (var (model, version, state, reason) in host.Index())
        {
            if (request.Ready && state != "READY") continue;
            answer.Models.Add(new RepositoryIndexResponse.Types.ModelIndex
            {
                Name = model,
                Version = version.ToString(CultureInfo.InvariantCulture),
                State = state,
                Reason = reason,
            });
        }

        return Task.FromResult(answer);
    }

    public override async Task<RepositoryModelLoadResponse> RepositoryModelLoad(
        RepositoryModelLoadRequest request, ServerCallContext context)
    {
        ModelRepository.CheckName(request.RepositoryName);
        ModelRepository.CheckLoad(request.Parameters.Keys);
        await host.LoadModelAsync(request.ModelName, ModelRepository.VersionOf(request.Parameters), context.CancellationToken);
        return new RepositoryModelLoadResponse();
    }

    public override async Task<RepositoryModelUnloadResponse> RepositoryModelUnload(
        RepositoryModelUnloadRequest request, ServerCallContext context)
    {
        ModelRepository.CheckName(request.RepositoryName);
        await host.UnloadModelAsync(request.ModelName, ModelRepository.VersionOf(request.Parameters), context.CancellationToken);
        return new RepositoryModelUnloadResponse();
    }

    // Of a stream each request is let in by itself.
    private async Task<ModelStreamInferResponse> AnswerWithinLimitAsync(ModelInferRequest request, Call call, CancellationToken ct)
    {
        if (!gate.TryEnter(call.Tier)) return Refused(request, Overload.Refusal.Status.Detail);
        try
        {
            return await AnswerAsync(request, call, ct);
        }
        finally
        {
            gate.Leave();
        }
    }

    // A refusal answers its request and leaves the stream open.
    private async Task<ModelStreamInferResponse> AnswerAsync(ModelInferRequest request, Call call, CancellationToken ct)
    {
        string refusal;
        try
        {
            var answer = await InferAsync(request, call, null, ct);
            if (request.Parameters.TryGetValue("triton_enable_empty_final_response", out var asked) && asked.BoolParam)
            {
                answer.Parameters.Add("triton_final_response", new InferParameter { BoolParam = true });
            }

            return new ModelStreamInferResponse { InferResponse = answer };
        }
        catch (DomainException e)
        {
            refusal = e.Message;
        }
        catch (RpcException e) when (!ct.IsCancellationRequested)
        {
            refusal = e.Status.Detail;
        }

        return Refused(request, refusal);
    }

    private static ModelStreamInferResponse Refused(ModelInferRequest request, string refusal) => new()
    {
        ErrorMessage = refusal,
        InferResponse = new ModelInferResponse { ModelName = request.ModelName, ModelVersion = request.ModelVersion, Id = request.Id },
    };

    private async Task<ModelInferResponse> InferAsync(
        ModelInferRequest request, Call call, IHeaderDictionary? headers, CancellationToken ct)
    {
        Workspace? used = null;
        try
        {
            using var lease = await host.AcquireAsync(request.ModelName, call.SelectorOf(request.ModelVersion), ct);
            var model = lease.Model;
            using var workspace = used = model.RentWorkspace(time.GetTimestamp());
            InferMessages.Read(request, workspace);
            if (request.Outputs.Count > 0) RequestedOutputs.Check(model, [.. request.Outputs.Select(o => new RequestedOutput(o.Name, null))]);
            call = call.Explained(ExplainParameters.Of(request.Parameters));
            var prediction = await predictor.PredictAsync(model, workspace, call, ct);
            if (headers is not null) call.Announce(prediction, headers);
            var answer = InferMessages.Write(request, prediction);
            prediction.Answered(call, time);
            return answer;
        }
        catch (Exception e) when (logbook.AddFailure(used, call, e))
        {
            throw;
        }
    }

    private static ModelMetadataResponse.Types.TensorMetadata Describe(TensorLayout layout)
    {
        var tensor = new ModelMetadataResponse.Types.TensorMetadata { Name = layout.Name, Datatype = layout.Datatype.Name };
        tensor.Shape.AddRange(layout.Shape.AsSpan());
        return tensor;
    }
}
