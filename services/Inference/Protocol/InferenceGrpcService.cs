using System.Globalization;
using Grpc.Core;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.Admission;
using MlOps.Inference.Explanations;
using MlOps.Inference.Models;
using MlOps.Inference.PredictionLog;
using MlOps.Inference.Predictions;
using MlOps.Inference.Replays;

namespace MlOps.Inference.Protocol;

/// <summary>Predictions by entity keys over gRPC, their explanations and replays, and the models that are loaded.</summary>
internal sealed class InferenceGrpcService(
    ModelHost host, PredictRows predictRows, Predictor predictor, ReplayPredictions replays, Logbook logbook, TimeProvider time)
    : InferenceService.InferenceServiceBase
{
    [Predicts]
    public override Task<PredictResponse> Predict(PredictRequest request, ServerCallContext context) =>
        AnswerAsync(request, Call.Begin(context.GetHttpContext().Request, "grpc", time), context);

    [Predicts]
    public override async Task<ExplainResponse> Explain(ExplainRequest request, ServerCallContext context)
    {
        var asked = new PredictRequest
        {
            Model = request.Model,
            Version = request.Version,
            Rows = request.Rows,
            MaxAgeSeconds = request.MaxAgeSeconds,
            Explain = request.Options,
        };
        var answer = await AnswerAsync(asked, Call.Begin(context.GetHttpContext().Request, "grpc", time) with { OnlyExplains = true }, context);
        return new ExplainResponse
        {
            Model = answer.Model,
            Version = answer.Version,
            Outputs = answer.Outputs,
            Explanation = answer.Explanation,
            Flags = { answer.Flags },
        };
    }

    public override async Task Replay(ReplayRequest request, IServerStreamWriter<ReplayResponse> responseStream, ServerCallContext context)
    {
        var ct = context.CancellationToken;
        await foreach (var part in replays.ReplayAsync(request, ct)) await responseStream.WriteAsync(part, ct);
    }

    private async Task<PredictResponse> AnswerAsync(PredictRequest request, Call call, ServerCallContext context)
    {
        Workspace? used = null;
        try
        {
            var selector = call.SelectorOf(request.Version);
            using var lease = await host.AcquireAsync(request.Model, selector, context.CancellationToken);
            var model = lease.Model;
            using var workspace = used = model.RentWorkspace(time.GetTimestamp());
            call = call.Explained(request.Explain is { } options ? Explanations.ExplainOptions.Of(options) : null);
            var rows = request.Rows ?? new Table();
            var features = await predictRows.FillAsync(workspace, rows, request.MaxAgeSeconds, context.CancellationToken);
            var prediction = await predictor.PredictAsync(model, workspace, call, context.CancellationToken);
            call.Announce(prediction, context.GetHttpContext().Response.Headers);
            var answer = Answer(request, call, prediction, features);
            prediction.Answered(call, time);
            return answer;
        }
        catch (Exception e) when (logbook.AddFailure(used, call, e))
        {
            throw;
        }
    }

    public override Task<ListModelsResponse> ListModels(ListModelsRequest request, ServerCallContext context)
    {
        var answer = new ListModelsResponse { Replica = ServerIdentity.Replica };
        foreach (var slot in host.Slots)
        {
            answer.Models.Add(new ListModelsResponse.Types.Model
            {
                Name = slot.Model,
                Version = slot.Version.ToString(CultureInfo.InvariantCulture),
                State = slot.State,
                Reason = slot.Reason,
                Decisions =
                {
                    (slot.Loaded?.Decisions.Read() ?? []).Select(counted => new ListModelsResponse.Types.Decision
                    {
                        Check = counted.Check,
                        Decision_ = counted.Decision,
                        Count = counted.Count,
                    }),
                },
            });
        }

        return Task.FromResult(answer);
    }

    private static PredictResponse Answer(
        PredictRequest request, Call call, Prediction prediction, LookedUp? features)
    {
        var answer = new PredictResponse
        {
            Model = prediction.Model.Model,
            Version = prediction.Model.VersionText,
            PredictionId = prediction.Id,
            Variant = call.Variant,
            Outputs = new Table(),
            Flags = { prediction.Flags },
        };
        if (prediction.Explanation is { } explanation) answer.Explanation = ExplanationMessages.Of(explanation);
        foreach (var output in prediction.Outputs) Columns.AddTo(answer.Outputs, output, prediction.Rows);
        if (!request.IncludeFeatures) return answer;
        answer.Features = new Table();
        var inputs = prediction.Workspace.Inputs;
        for (var i = 0; i < inputs.Length; i++)
        {
            answer.Features.Columns.Add(Columns.Of(inputs[i]));
            answer.Origins.Add(FeatureOrigins.Of(prediction.Workspace, i, request.Rows, features));
        }

        return answer;
    }
}
