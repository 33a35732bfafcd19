namespace MlOps.Contracts.Events;

/// <summary>A model version exists and can be loaded. Publisher: Registry. Consumers: Inference, Monitoring.</summary>
public sealed record ModelVersionRegistered(string Model, int Version, string ArtifactDigest);
