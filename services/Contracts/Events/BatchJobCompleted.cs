namespace MlOps.Contracts.Events;

/// <summary>A batch job's result is in place. Publisher: Inference. Consumers: none yet.</summary>
public sealed record BatchJobCompleted(Guid JobId, string Model, int ModelVersion, long RowsScored, long RowsQuarantined);
