namespace MlOps.Contracts.Events;

/// <summary>Labels joined the log. Publisher: Monitoring. Consumers: none yet.</summary>
public sealed record LabelsReceived(int Count, DateTimeOffset ReceivedAt);
