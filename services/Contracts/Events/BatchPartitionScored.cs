namespace MlOps.Contracts.Events;

/// <summary>All rows of a partition are scored or quarantined. Publisher: Inference's workers. Consumer: Inference, which publishes the result after the last one.</summary>
public sealed record BatchPartitionScored(Guid JobId, int Partition);
