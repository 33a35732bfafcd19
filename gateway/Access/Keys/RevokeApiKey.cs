using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Access.Keys;

/// <summary>
/// A key that opens nothing any more. When it returns, this replica refuses the key; the others follow within a second.
/// Revoking it again changes nothing.
/// </summary>
internal sealed partial class RevokeApiKey(ApiKeyChanges changes, KeyBook book, ILogger<RevokeApiKey> logger)
{
    /// <exception cref="NotFoundException">API_KEY_NOT_FOUND.</exception>
    public async Task<ApiKey> RunAsync(string id, Caller by, CancellationToken ct)
    {
        var key = await changes.MakeAsync(
            async turn =>
            {
                var before = await ApiKeyChanges.GetAsync(turn.Transaction, id, ct);
                if (before.Key.RevokedAt is not null) return new ApiKeyChanges.Made(before.Key, before.Key);
                var revoked = before.Key with { RevokedAt = turn.At, Revision = turn.Revision };
                await ApiKeyChanges.StoreAsync(turn.Transaction, before with { Key = revoked }, ct);
                return new ApiKeyChanges.Made(before.Key, revoked);
            },
            ct);
        await book.CatchUpAsync(key.Revision, ct);
        LogRevoked(key.Id, key.Name, by.Name);
        return key;
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Key {Id} ({Name}) was revoked by {Caller}")]
    private partial void LogRevoked(string id, string name, string caller);
}
