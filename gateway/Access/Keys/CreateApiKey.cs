using Microsoft.Extensions.Options;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Access.Keys;

/// <summary>A new key, whose text is answered this once. When it returns, the key opens this replica; the others follow with the event.</summary>
internal sealed partial class CreateApiKey(
    ApiKeyChanges changes, KeyBook book, IOptions<AccessOptions> options, ILogger<CreateApiKey> logger)
{
    /// <exception cref="InvalidRequestException">API_KEY_INVALID, with every broken rule.</exception>
    public async Task<NewApiKey> RunAsync(WantedKey wanted, Caller by, CancellationToken ct)
    {
        var violations = new Violations();
        violations.CheckKey(wanted);
        violations.ThrowIfAny("API_KEY_INVALID");

        var (id, secret) = (KeyText.NewId(), KeyText.NewSecret());
        var grants = wanted.Grants.Select(g => new Grant(
            Role.Find(g.Role) ?? throw new InvalidOperationException("The role was checked."), g.Models));
        var key = await changes.MakeAsync(
            async turn =>
            {
                var made = new ApiKey(
                    id, wanted.Name, [.. grants], wanted.RequestsPerSecond, wanted.Burst, turn.At, by.Name,
                    turn.At + (wanted.Lifetime ?? options.Value.KeyLifetime), null, null, null, null, turn.Revision);
                await ApiKeyChanges.StoreAsync(turn.Transaction, new StoredKey(made, SecretHash.Of(secret), null), ct);
                return new ApiKeyChanges.Made(null, made);
            },
            ct);
        await book.CatchUpAsync(key.Revision, ct);
        LogCreated(key.Id, key.Name, by.Name, key.ExpiresAt);
        return new NewApiKey(key, KeyText.Of(id, secret));
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "Key {Id} ({Name}) was made by {Caller}, good until {ExpiresAt:u}")]
    private partial void LogCreated(string id, string name, string caller, DateTimeOffset expiresAt);
}
