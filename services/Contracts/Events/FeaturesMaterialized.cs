namespace MlOps.Contracts.Events;

/// <summary>The newest values of a feature view are in the online store. Publisher: FeatureStore. Consumers: none yet.</summary>
public sealed record FeaturesMaterialized(string FeatureView, long KeysWritten, DateTimeOffset AsOf);
