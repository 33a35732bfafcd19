namespace MlOps.Contracts.Events;

/// <summary>A trial waits for a worker. Publisher: Training. Consumer: Training's workers, one of which takes it.</summary>
public sealed record TrialRequested(Guid TrainingRunId, int Trial);
