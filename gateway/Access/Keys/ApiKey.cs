namespace MlOps.Gateway.Access.Keys;

/// <summary>
/// A key as it stands after the change numbered by its revision; of its secrets only hashes. Times that did not come are
/// null. A rotated key's previous secret is good until <see cref="PreviousUntil"/>.
/// </summary>
internal sealed record ApiKey(
    string Id,
    string Name,
    IReadOnlyList<Grant> Grants,
    double? RequestsPerSecond,
    int? Burst,
    DateTimeOffset CreatedAt,
    string CreatedBy,
    DateTimeOffset ExpiresAt,
    DateTimeOffset? RotatedAt,
    DateTimeOffset? PreviousUntil,
    DateTimeOffset? RevokedAt,
    DateTimeOffset? LastUsedAt,
    long Revision)
{
    /// <summary><c>active</c>, <c>expired</c> or <c>revoked</c>.</summary>
    public string StateAt(DateTimeOffset now) => RevokedAt is not null ? "revoked" : now >= ExpiresAt ? "expired" : "active";
}

/// <summary>A key and the hashes of its secrets.</summary>
internal sealed record StoredKey(ApiKey Key, SecretHash Secret, SecretHash? Previous);

/// <summary>A key with the text that opens the door, which is shown this once.</summary>
internal sealed record NewApiKey(ApiKey Key, string Text);
