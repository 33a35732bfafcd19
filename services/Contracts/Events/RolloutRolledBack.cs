namespace MlOps.Contracts.Events;

/// <summary>All of a model's traffic is back on the version before. Publisher: Gateway. Consumers: none yet.</summary>
public sealed record RolloutRolledBack(Guid RolloutId, string Model, int Version, int ToVersion, string Actor, string Reason);
