namespace MlOps.Contracts.Events;

/// <summary>An API key is new, rotated or revoked. Publisher: Gateway. Consumer: every replica of Gateway.</summary>
public sealed record ApiKeysChanged(long Revision);
