namespace MlOps.Contracts.Events;

/// <summary>A batch job ended without a result. Publisher: Inference. Consumers: none yet.</summary>
public sealed record BatchJobFailed(Guid JobId, string Model, int ModelVersion, string Failure);
