using MlOps.Inference.Models;
using MlOps.Inference.PredictionLog;
using MlOps.Inference.Predictions;

namespace MlOps.Inference.Protocol;

/// <summary>Answers rows of values with predictions; features the rows lack come from the online store.</summary>
internal sealed class Scoring(
    ModelHost host, PredictRows predictRows, Predictor predictor, Logbook logbook, TimeProvider time)
{
    public async Task AnswerAsync(
        string model, string? version, string[] forms, HttpContext http, Action<Workspace, Prediction> write, CancellationToken ct,
        bool onlyExplains = false)
    {
        var call = Call.Begin(http.Request, "rest", time) with { OnlyExplains = onlyExplains };
        Workspace? used = null;
        try
        {
            using var body = await RequestBody.ReadAsync(http.Request, ct);
            using var lease = await host.AcquireAsync(model, call.SelectorOf(version), ct);
            var found = lease.Model;
            using var workspace = used = found.RentWorkspace(time.GetTimestamp());
            var (rows, explain) = ScoringJson.Read(body.Span, forms, [.. found.Inputs.Select(i => i.Name)], onlyExplains);
            call = call.Explained(explain);
            await predictRows.FillAsync(workspace, rows, maxAgeSeconds: 0, ct);
            var prediction = await predictor.PredictAsync(found, workspace, call, ct);
            call.Announce(prediction, http.Response.Headers);
            write(workspace, prediction);

            await Answers.SendJsonAsync(http, workspace.Answer.WrittenMemory, ct);
            prediction.Answered(call, time);
        }
        catch (Exception e) when (logbook.AddFailure(used, call, e))
        {
            throw;
        }
    }
}
