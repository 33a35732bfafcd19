namespace MlOps.Contracts.Events;

/// <summary>
/// An experiment on a model's traffic is over: its state is "stopped" or "decided", the arm the one that was found or taken (empty:
/// none), the finding what its read-out said last. Publisher: Gateway. Consumers: none yet.
/// </summary>
public sealed record ExperimentEnded(
    string Name, string Model, string State, string Arm, string Finding, string Actor, string Reason);
