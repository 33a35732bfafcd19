using Microsoft.Extensions.Options;
using MlOps.Inference.Models;
using MlOps.Inference.PredictionLog;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Predictions;

/// <summary>Computes an answer and writes it to the prediction log, in this order, before anybody sees it.</summary>
internal sealed class Predictor(
    Journal journal, InferenceTelemetry telemetry, IOptions<InferenceOptions> options, TimeProvider time)
{
    /// <param name="model">The leased model.</param>
    /// <param name="workspace">Its checked inputs.</param>
    /// <param name="call">The request.</param>
    /// <exception cref="InvalidRequestException">TOO_MANY_VALUES: more than the log could carry. MODEL_REFUSED_INPUT.</exception>
    public Prediction Predict(LoadedModel model, Workspace workspace, Call call)
    {
        var most = options.Value.MaxRequestValues;
        if (workspace.LoggedValues is var given && given > most)
        {
            throw new InvalidRequestException(
                "TOO_MANY_VALUES", $"A request may have {most} values with its answers, a text one more per eight bytes; this one has {given}. Send it in parts.");
        }

        using var activity = telemetry.StartPredict(model, call);
        var startedAt = time.GetTimestamp();
        var values = workspace.Run();
        var ranAt = time.GetTimestamp();
        try
        {
            var outputs = new OutputTensor[model.Outputs.Length];
            for (var i = 0; i < outputs.Length; i++)
            {
                outputs[i] = new OutputTensor(model.Outputs[i], values[i], values[i].GetTensorTypeAndShape().Shape);
            }

            var now = time.GetUtcNow();
            var id = Guid.CreateVersion7(now);
            PredictionRecordWriter.Write(
                workspace, model, call, id, now, outputs, time.GetElapsedTime(call.StartedAt));
            journal.Append(workspace.Record.Framed(PredictionRecordWriter.RecordsField).Span);
            telemetry.CountAnswer(model, call);
            return new Prediction(model, id.ToString("N"), workspace.Rows, values, outputs)
            {
                Preparation = time.GetElapsedTime(workspace.RentedAt, startedAt),
                Computation = time.GetElapsedTime(startedAt, ranAt),
                ComputedAt = ranAt,
            };
        }
        catch
        {
            values.Dispose();
            throw;
        }
    }
}
