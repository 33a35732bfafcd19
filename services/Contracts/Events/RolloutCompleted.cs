namespace MlOps.Contracts.Events;

/// <summary>A rollout's version stands for the model now. Publisher: Gateway. Consumers: none yet.</summary>
public sealed record RolloutCompleted(Guid RolloutId, string Model, int Version, int FromVersion, string Message);
