namespace MlOps.Contracts.Events;

/// <summary>A training run registered its model version. Publisher: Training. Consumers: none yet.</summary>
public sealed record TrainingRunCompleted(Guid TrainingRunId, string Model, int ModelVersion);
