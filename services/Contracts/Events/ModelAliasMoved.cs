namespace MlOps.Contracts.Events;

/// <summary>An alias points to another version; null: set for the first time, or deleted. Publisher: Registry. Consumers: Inference, Gateway.</summary>
public sealed record ModelAliasMoved(string Model, string Alias, int? FromVersion, int? ToVersion, string Actor, string Reason);
