using Microsoft.Extensions.Options;
using MlOps.Inference.Batching;
using MlOps.Inference.Explanations;
using MlOps.Inference.Models;
using MlOps.Inference.PredictionLog;
using MlOps.Inference.Responses;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Predictions;

/// <summary>
/// Holds a request against what its version was trained on, computes the answer, explains it where that is asked for, and
/// writes it to the prediction log, in this order, before anybody sees it.
/// </summary>
internal sealed class Predictor(
    Logbook logbook, Fallbacks fallbacks, Explainers explainers, PredictionIds ids, InferenceTelemetry telemetry,
    IOptions<InferenceOptions> options, TimeProvider time)
{
    /// <param name="model">The leased model.</param>
    /// <param name="workspace">Its checked inputs; takes the outputs.</param>
    /// <param name="call">The request.</param>
    /// <param name="ct">The caller gave up.</param>
    /// <exception cref="InvalidRequestException">
    /// TOO_MANY_VALUES: more than the log could carry. INPUT_UNLIKE_TRAINING: the guard rejects it. MODEL_REFUSED_INPUT.
    /// It cannot be explained as asked: see <see cref="ModelExplainer.Plan"/>.
    /// </exception>
    /// <exception cref="ConflictException">FALLBACK_UNFIT: the version that is to answer instead cannot.</exception>
    /// <exception cref="Grpc.Core.RpcException">
    /// Unavailable: that version cannot be had. ResourceExhausted, DeadlineExceeded: see <see cref="Batcher"/>.
    /// </exception>
    public ValueTask<Prediction> PredictAsync(LoadedModel model, Workspace workspace, Call call, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        CheckSize(workspace.StandIn?.Workspace ?? workspace);
        if (workspace.StandIn is { } standIn) return AnswerInPlaceOfAsync(workspace, standIn, call, ct);
        return model.Guard?.Check(workspace, call.MayFallBack) == true
            ? FallBackAsync(model, workspace, call, ct)
            : AnswerAsync(model, workspace, call, ct);
    }

    private void CheckSize(Workspace workspace)
    {
        var most = options.Value.MaxRequestValues;
        if (workspace.LoggedValues is var given && given > most)
        {
            throw new InvalidRequestException(
                "TOO_MANY_VALUES", $"A request may have {most} values with its answers, a text one more per eight bytes; this one has {given}. Send it in parts.");
        }
    }

    private async ValueTask<Prediction> FallBackAsync(LoadedModel model, Workspace workspace, Call call, CancellationToken ct)
    {
        await fallbacks.TryStandInAsync(workspace, model.Settings.Guard.Version, other => Fallbacks.Copy(workspace, other), ct);
        return workspace.StandIn is { } standIn
            ? await AnswerInPlaceOfAsync(workspace, standIn, call, ct)
            : await AnswerAsync(model, workspace, call, ct);
    }

    private async ValueTask<Prediction> AnswerInPlaceOfAsync(Workspace workspace, StandIn standIn, Call call, CancellationToken ct)
    {
        standIn.Model.Guard?.Check(standIn.Workspace, mayFallBack: false);
        var prediction = await AnswerAsync(standIn.Model, standIn.Workspace, call, ct);
        // One record, whatever happens to the answer on its way.
        workspace.IsLogged = true;
        return prediction;
    }

    // What is explained goes alone: it would keep others of its run waiting.
    private ValueTask<Prediction> AnswerAsync(LoadedModel model, Workspace workspace, Call call, CancellationToken ct)
    {
        if (call.Explain is { } options) return new(PredictExplained(model, workspace, call, options, ct));
        if (model.Cache is { } cache && TryRecall(cache, model, workspace, call) is { } kept) return new(kept);
        return model.Batcher is { } batcher && batcher.Takes(workspace.Rows)
            ? PredictInBatchAsync(batcher, model, workspace, call, ct)
            : new(PredictAlone(model, workspace, call));
    }

    // An answer that was kept is a prediction like any other, with an id and a place in the log.
    private Prediction? TryRecall(ResponseCache cache, LoadedModel model, Workspace workspace, Call call)
    {
        var startedAt = time.GetTimestamp();
        var isKept = cache.TryAnswer(workspace);
        var endedAt = time.GetTimestamp();
        telemetry.CountRecall(model, isKept);
        model.Counts.AddRecall(isKept, time.GetElapsedTime(startedAt, endedAt));
        if (!isKept) return null;
        using var activity = telemetry.StartPredict(model, call);
        return Answer(model, workspace, call, startedAt, new SharedRun(startedAt, endedAt, workspace.Rows), AnswerSource.Cache);
    }

    private Prediction PredictExplained(LoadedModel model, Workspace workspace, Call call, ExplainOptions options, CancellationToken ct)
    {
        // What cannot be explained as asked is refused before it costs more, and what is given up before it is logged.
        using var plan = explainers.Plan(model, workspace, options);
        using var activity = telemetry.StartPredict(model, call);
        var startedAt = time.GetTimestamp();
        model.Backend.Run(workspace.Inputs, workspace.Outputs);
        var run = new SharedRun(startedAt, time.GetTimestamp(), workspace.Rows);
        var explanation = explainers.Explain(model, workspace, plan, ct);
        return Answer(model, workspace, call, startedAt, run, AnswerSource.OwnRun, explanation);
    }

    private Prediction PredictAlone(LoadedModel model, Workspace workspace, Call call)
    {
        using var activity = telemetry.StartPredict(model, call);
        var startedAt = time.GetTimestamp();
        model.Backend.Run(workspace.Inputs, workspace.Outputs);
        var run = new SharedRun(startedAt, time.GetTimestamp(), workspace.Rows);
        return Answer(model, workspace, call, startedAt, run, AnswerSource.OwnRun);
    }

    private async ValueTask<Prediction> PredictInBatchAsync(
        Batcher batcher, LoadedModel model, Workspace workspace, Call call, CancellationToken ct)
    {
        using var activity = telemetry.StartPredict(model, call);
        var arrivedAt = time.GetTimestamp();
        var run = await batcher.RunAsync(workspace, call, ct);
        telemetry.CountRun(model, run.Rows, time.GetElapsedTime(arrivedAt, run.StartedAt));
        return Answer(model, workspace, call, arrivedAt, run, AnswerSource.SharedRun);
    }

    private Prediction Answer(
        LoadedModel model, Workspace workspace, Call call, long preparedAt, SharedRun run, AnswerSource source, Explanation? explanation = null)
    {
        if (source != AnswerSource.Cache) model.Cache?.Keep(workspace);
        var now = time.GetUtcNow();
        var id = call.PredictionId ?? ids.New(now);
        if (call.IsLogged && !call.OnlyExplains) logbook.AddAnswer(workspace, call, id, now);
        if (!call.OnlyExplains) telemetry.CountAnswer(model, call);
        return new Prediction(workspace, id.ToString("N"))
        {
            Explanation = explanation,
            Preparation = time.GetElapsedTime(workspace.RentedAt, preparedAt),
            Wait = time.GetElapsedTime(preparedAt, run.StartedAt),
            Computation = time.GetElapsedTime(run.StartedAt, run.EndedAt),
            ComputedAt = run.EndedAt,
            Source = source,
        };
    }
}
