using MlOps.Contracts.Inference.V1;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Replays;

/// <summary>The rules a replay's request has to keep.</summary>
internal static class ReplayRequests
{
    public const int MaxIds = 1_000;
    public const int MaxSample = 10_000;
    public const int DefaultSample = 1_000;

    /// <exception cref="InvalidRequestException">REPLAY_INVALID: every field that breaks a rule.</exception>
    public static void Check(ReplayRequest request)
    {
        var violations = new Violations();
        violations.AddIf(request.Model.Length == 0, "model", "must be given");
        violations.AddIf(request.PredictionIds.Count > MaxIds, "prediction_ids", $"must be at most {MaxIds:N0}");
        violations.AddIf(
            request.PredictionIds.Count > 0
                && (request.LoggedVersion.Length > 0 || request.FromMicros != 0 || request.ToMicros != 0 || request.SampleSize != 0),
            "prediction_ids", "must not stand beside logged_version, a window or sample_size");
        violations.AddIf(
            request.SampleSize is < 0 or > MaxSample, "sample_size", $"must be 1 to {MaxSample:N0}, or 0 for {DefaultSample:N0}");
        violations.AddIf(request.HasThreshold && !double.IsFinite(request.Threshold), "threshold", "must be a number");
        violations.ThrowIfAny("REPLAY_INVALID");
    }
}
