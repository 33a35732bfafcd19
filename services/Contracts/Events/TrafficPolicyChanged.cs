namespace MlOps.Contracts.Events;

/// <summary>A model's traffic policy is new, changed or gone. Publisher: Gateway. Consumer: every replica of Gateway.</summary>
public sealed record TrafficPolicyChanged(string Model, long Revision);
