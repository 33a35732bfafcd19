namespace MlOps.Inference.Models;

/// <summary>Whether a version is served: READY, LOADING or UNAVAILABLE, and why.</summary>
internal readonly record struct VersionState(string Model, int Version, string State, string Reason);
