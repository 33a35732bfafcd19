using MlOps.Inference.Predictions;

namespace MlOps.Inference.PredictionLog;

/// <summary>A request or its answer on its way to a receiver of CloudEvents.</summary>
/// <param name="IsAnswer">False: it is the request.</param>
/// <param name="Id">The same for a request and its answer.</param>
/// <param name="PredictionId">The prediction in the log.</param>
/// <param name="Model">Name of the model.</param>
/// <param name="Version">Version that answered.</param>
/// <param name="Call">What the request said of itself.</param>
/// <param name="Annotations">As configured for the model.</param>
/// <param name="Time">When the answer was made.</param>
/// <param name="Data">JSON in the form of the Open Inference Protocol.</param>
internal sealed record PayloadEvent(
    bool IsAnswer, string Id, Guid PredictionId, string Model, string Version, Call Call,
    IReadOnlyDictionary<string, string> Annotations, DateTimeOffset Time, byte[] Data)
{
    private const int Overhead = 512;

    /// <summary>Memory it takes, about.</summary>
    public int Bytes => Data.Length + Overhead;

    public static PayloadEvent Of(bool isAnswer, Workspace workspace, Call call, Guid id, DateTimeOffset now, byte[] data) => new(
        isAnswer, call.EventId.Length > 0 ? call.EventId : id.ToString("D"), id, workspace.Model.Model, workspace.Model.VersionText,
        call, workspace.Model.Settings.Log.CloudEventsAnnotations, now, data);
}
