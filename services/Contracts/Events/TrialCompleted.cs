namespace MlOps.Contracts.Events;

/// <summary>A trial ended, well or not. Publisher: Training's workers. Consumer: Training, which ends the run after the last one.</summary>
public sealed record TrialCompleted(Guid TrainingRunId, int Trial, bool Succeeded);
