namespace MlOps.Contracts.Events;

/// <summary>A batch job waits for its input to be read and cut into partitions. Publisher: Inference. Consumer: Inference, one replica of it.</summary>
public sealed record BatchJobRequested(Guid JobId);
