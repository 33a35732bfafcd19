using Microsoft.Extensions.Options;
using MlOps.Inference.Predictions;
using MlOps.Numerics.Assignment;

namespace MlOps.Inference.PredictionLog;

/// <summary>
/// Decides which requests the prediction log keeps, and has each in the journal once at most before anybody hears of its
/// end: of the answers a sample, of failures and flagged answers all.
/// </summary>
internal sealed class Logbook(
    Journal journal, PayloadSink payloads, MaskingKey key, InferenceTelemetry telemetry, IOptions<InferenceOptions> options,
    TimeProvider time)
{
    /// <summary>
    /// Keeps a computed answer, or not. The same id is decided alike everywhere; a shadow's answer is kept where its live
    /// one is.
    /// </summary>
    public void AddAnswer(Workspace workspace, Call call, Guid id, DateTimeOffset now)
    {
        workspace.IsLogged = true;
        var rate = workspace.Flags.Count > 0 ? 1 : workspace.Model.Settings.Log.Rate;
        if (!SampleHash.IsTaken(call.ShadowOf ?? id, rate)) return;
        Append(workspace, call, new LogEntry(id, now, time.GetElapsedTime(call.StartedAt), rate));
        payloads.Add(workspace, call, id, now);
    }

    /// <summary>
    /// For exception filters: counts the failure, keeps it unless the request is in the log already, and lets it pass.
    /// Without a workspace no version was found, and there is nothing to keep.
    /// </summary>
    public bool AddFailure(Workspace? workspace, Call call, Exception e)
    {
        if (call.OnlyExplains) return false;
        var code = FailureCode.Of(e);
        telemetry.CountFailure(workspace?.Model, call, code);
        if (workspace is null or { IsLogged: true }) return false;
        workspace.IsLogged = true;
        var now = time.GetUtcNow();
        var hasInputs = workspace.LoggedValues <= options.Value.MaxRequestValues;
        Append(workspace, call, new LogEntry(
            Guid.CreateVersion7(now), now, time.GetElapsedTime(call.StartedAt), SamplingRate: 1, code, hasInputs));
        return false;
    }

    private void Append(Workspace workspace, Call call, LogEntry entry)
    {
        PredictionRecordWriter.Write(workspace, call, entry, key);
        journal.Append(workspace.Record.Framed(PredictionRecordWriter.RecordsField).Span);
    }
}
