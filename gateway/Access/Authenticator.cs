using Grpc.Core;
using Microsoft.Extensions.Options;
using MlOps.Gateway.Access.Keys;
using MlOps.Gateway.Access.Tokens;
using MlOps.Gateway.Routes;

namespace MlOps.Gateway.Access;

/// <summary>
/// Finds out who is asking, by <c>Authorization: Bearer …</c> or <c>x-api-key: …</c>, in HTTP headers and gRPC metadata alike.
/// Credentials that come are checked even where none are asked for.
/// </summary>
internal sealed class Authenticator(KeyBook keys, TokenAuthenticator tokens, IOptions<AccessOptions> options, TimeProvider time)
{
    public const string KeyHeader = "x-api-key";
    private const string Scheme = "Bearer ";

    private static readonly Refusal Missing = Unauthenticated(
        "CREDENTIALS_MISSING", $"Say who you are: 'Authorization: Bearer <key or token>' or '{KeyHeader}: <key>'.");
    private static readonly Refusal Invalid = Unauthenticated("CREDENTIALS_INVALID", "The key or token is not known here.");
    private static readonly Refusal Expired = Unauthenticated("CREDENTIALS_EXPIRED", "The key or token has expired.");
    private static readonly Refusal Revoked = Unauthenticated("CREDENTIALS_REVOKED", "The key was revoked.");
    private static readonly Refusal IssuerAway = new(
        StatusCode.Unavailable, StatusCodes.Status503ServiceUnavailable, "ISSUER_UNAVAILABLE",
        "The issuer of the token cannot be reached, so it cannot be checked; try again.")
    { RetryAfter = TimeSpan.FromSeconds(5) };

    private readonly bool _isOpen = options.Value.Mode == AccessMode.Open;

    /// <summary>Allocates nothing for a key, nor for a token that was seen before.</summary>
    public ValueTask<Identity> IdentifyAsync(HttpContext http)
    {
        if (!TryRead(http.Request.Headers, out var credential))
            return new(_isOpen ? new Identity(Caller.Anonymous, null) : new Identity(null, Missing));
        if (KeyText.TryRead(credential, out var id, out var secret)) return new(OfKey(id, secret));
        if (!tokens.IsConfigured || !TokenAuthenticator.LooksLikeOne(credential)) return new(new Identity(null, Invalid));
        return tokens.FindKnown(credential) is { } known
            ? new(new Identity(known, null))
            : new(OfTokenAsync(credential.ToString(), http.RequestAborted));
    }

    private async Task<Identity> OfTokenAsync(string token, CancellationToken ct)
    {
        try
        {
            var (caller, isExpired) = await tokens.ValidateAsync(token, ct);
            return caller is not null ? new Identity(caller, null) : new Identity(null, isExpired ? Expired : Invalid);
        }
        catch (IssuerAwayException)
        {
            return new Identity(null, IssuerAway);
        }
    }

    private Identity OfKey(ReadOnlySpan<char> id, ReadOnlySpan<char> secret)
    {
        var now = time.GetUtcNow();
        if (keys.Current.Find(id) is not { } key || !key.Opens(secret, now)) return new Identity(null, Invalid);
        // Only who has the secret is told what became of the key.
        if (key.Key.RevokedAt is not null) return new Identity(null, Revoked);
        if (now >= key.Key.ExpiresAt) return new Identity(null, Expired);
        key.NoteUse(now);
        return new Identity(key.Caller, null);
    }

    // Another scheme, such as Basic, is no credential of ours.
    internal static bool TryRead(IHeaderDictionary headers, out ReadOnlySpan<char> credential)
    {
        var authorization = headers.Authorization;
        if (authorization.Count > 0 && authorization[^1] is { } text && text.StartsWith(Scheme, StringComparison.OrdinalIgnoreCase))
        {
            credential = text.AsSpan(Scheme.Length).Trim(' ');
            return true;
        }

        credential = headers[KeyHeader] is { Count: > 0 } key ? key[^1].AsSpan().Trim(' ') : default;
        return !credential.IsEmpty;
    }

    private static Refusal Unauthenticated(string code, string message) =>
        new(StatusCode.Unauthenticated, StatusCodes.Status401Unauthorized, code, message);
}

/// <summary>Who it is, or why that is not known.</summary>
internal readonly record struct Identity(Caller? Caller, Refusal? Refusal);
