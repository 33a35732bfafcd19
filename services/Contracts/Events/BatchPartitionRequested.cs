namespace MlOps.Contracts.Events;

/// <summary>A partition of a batch job waits for a worker. Publisher: Inference. Consumer: Inference, one replica of it.</summary>
public sealed record BatchPartitionRequested(Guid JobId, int Partition);
