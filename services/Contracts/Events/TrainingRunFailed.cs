namespace MlOps.Contracts.Events;

/// <summary>A training run ended without a model. Publisher: Training. Consumers: none yet.</summary>
public sealed record TrainingRunFailed(Guid TrainingRunId, string Model, string Failure);
