using Microsoft.Extensions.Options;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Access.Keys;

/// <summary>
/// A new secret for a key, answered this once. The one before it stays good for the overlap, so that clients can change
/// over; one before that is gone at once. Grants, limits and expiry stay.
/// </summary>
internal sealed partial class RotateApiKey(
    ApiKeyChanges changes, KeyBook book, IOptions<AccessOptions> options, ILogger<RotateApiKey> logger)
{
    /// <summary>Null: the platform's usual overlap. Zero: the old secret is gone at once.</summary>
    /// <exception cref="InvalidRequestException">API_KEY_INVALID: the overlap is negative or over thirty days.</exception>
    /// <exception cref="NotFoundException">API_KEY_NOT_FOUND.</exception>
    /// <exception cref="ConflictException">API_KEY_REVOKED, API_KEY_EXPIRED: no secret would open anything.</exception>
    public async Task<NewApiKey> RunAsync(string id, TimeSpan? overlap, Caller by, CancellationToken ct)
    {
        var violations = new Violations();
        violations.AddIf(
            overlap is { } wanted && (wanted < TimeSpan.Zero || wanted > ApiKeyRules.MaxOverlap), "overlap_seconds",
            $"must be 0 to {ApiKeyRules.MaxOverlap.TotalSeconds:0} seconds (thirty days)");
        violations.ThrowIfAny("API_KEY_INVALID");

        var secret = KeyText.NewSecret();
        var key = await changes.MakeAsync(
            async turn =>
            {
                var before = await ApiKeyChanges.GetAsync(turn.Transaction, id, ct);
                if (before.Key.StateAt(turn.At) is var state and not "active")
                {
                    throw new ConflictException(
                        $"API_KEY_{state.ToUpperInvariant()}", $"The key {id} is {state}; make a new one.");
                }

                var rotated = before.Key with
                {
                    RotatedAt = turn.At,
                    PreviousUntil = turn.At + (overlap ?? options.Value.KeyOverlap),
                    Revision = turn.Revision,
                };
                await ApiKeyChanges.StoreAsync(
                    turn.Transaction, new StoredKey(rotated, SecretHash.Of(secret), before.Secret), ct);
                return new ApiKeyChanges.Made(before.Key, rotated);
            },
            ct);
        await book.CatchUpAsync(key.Revision, ct);
        LogRotated(key.Id, key.Name, by.Name, key.PreviousUntil);
        return new NewApiKey(key, KeyText.Of(id, secret));
    }

    [LoggerMessage(Level = LogLevel.Information,
        Message = "Key {Id} ({Name}) was rotated by {Caller}; its old secret is good until {PreviousUntil:u}")]
    private partial void LogRotated(string id, string name, string caller, DateTimeOffset? previousUntil);
}
