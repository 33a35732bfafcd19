namespace MlOps.Contracts.Events;

/// <summary>
/// A rollout entered a phase, went a step further or was paused or resumed. Weight is the canary's share of subjects, 0 to 1.
/// Publisher: Gateway. Consumers: none yet.
/// </summary>
public sealed record RolloutAdvanced(Guid RolloutId, string Model, int Version, string Phase, int Step, double Weight, string Message);
