using System.Text.Json;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace MlOps.Gateway.Access.Tokens;

/// <summary>
/// Finds out who a token of the configured issuer is for. It must be signed, by an asymmetric algorithm, with the key it
/// names, and be for this platform, now. A token found good is good for five minutes without another look at its issuer.
/// </summary>
internal sealed class TokenAuthenticator(IssuerKeys keys, IOptions<AccessOptions> options, TimeProvider time)
{
    /// <summary>Longer ones are refused unread; those of large directories have two or three thousand characters.</summary>
    private const int MaxLength = 16 * 1024;

    private static readonly TimeSpan GoodFor = TimeSpan.FromMinutes(5);

    // No symmetric ones: whoever knows an issuer's public key could sign with it.
    private static readonly string[] Algorithms =
    [
        SecurityAlgorithms.RsaSha256, SecurityAlgorithms.RsaSha384, SecurityAlgorithms.RsaSha512, SecurityAlgorithms.RsaSsaPssSha256,
        SecurityAlgorithms.EcdsaSha256, SecurityAlgorithms.EcdsaSha384, SecurityAlgorithms.EcdsaSha512,
    ];

    private readonly OidcOptions _oidc = options.Value.Oidc;
    private readonly TokenCache _cache = new();
    private readonly JsonWebTokenHandler _handler = new() { MapInboundClaims = false, MaximumTokenSizeInBytes = MaxLength };

    public bool IsConfigured => _oidc.IsConfigured;

    /// <summary>Three parts with dots between them, as "eyJ….eyJ….sig".</summary>
    public static bool LooksLikeOne(ReadOnlySpan<char> credential) => credential.Length <= MaxLength && credential.Count('.') == 2;

    /// <summary>Null: not seen in the last minutes; ask <see cref="ValidateAsync"/>. Allocates nothing.</summary>
    public Caller? FindKnown(ReadOnlySpan<char> token) => _cache.Find(token, time.GetUtcNow());

    /// <exception cref="IssuerAwayException">The issuer was never reached.</exception>
    public async Task<(Caller? Caller, bool IsExpired)> ValidateAsync(string text, CancellationToken ct)
    {
        JsonWebToken token;
        try
        {
            token = _handler.ReadJsonWebToken(text);
        }
        catch (Exception e) when (e is ArgumentException or SecurityTokenException or JsonException)
        {
            return default;
        }

        if (!Algorithms.Contains(token.Alg, StringComparer.Ordinal)) return default;
        if (await keys.FindAsync(token.Kid ?? "", ct) is not { } key) return default;

        var result = await _handler.ValidateTokenAsync(text, Parameters(key));
        if (!result.IsValid) return (null, result.Exception is SecurityTokenInvalidLifetimeException && token.ValidTo != default && IsOver(token.ValidTo));
        using var payload = JsonDocument.Parse(Base64UrlEncoder.DecodeBytes(token.EncodedPayload));
        if (CallerOf(payload.RootElement) is not { } caller) return default;

        var now = time.GetUtcNow();
        var end = new DateTimeOffset(token.ValidTo, TimeSpan.Zero);
        _cache.Add(text, caller, end < now + GoodFor ? end + _oidc.ClockSkew : now + GoodFor, now);
        return (caller, false);
    }

    private TokenValidationParameters Parameters(SecurityKey key) => new()
    {
        ValidIssuer = _oidc.Issuer,
        ValidAudience = _oidc.Audience,
        ValidAlgorithms = Algorithms,
        RequireSignedTokens = true,
        RequireExpirationTime = true,
        ValidateIssuerSigningKey = true,
        IssuerSigningKey = key,
        // The library's own clock cannot be set.
        LifetimeValidator = (from, until, _, _) => until is { } end && !IsOver(end) && !IsYetToCome(from),
        IncludeTokenOnFailedValidation = false,
    };

    private bool IsOver(DateTime until) => time.GetUtcNow() - _oidc.ClockSkew >= new DateTimeOffset(until, TimeSpan.Zero);

    private bool IsYetToCome(DateTime? from) => from is { } start && time.GetUtcNow() + _oidc.ClockSkew < new DateTimeOffset(start, TimeSpan.Zero);

    private Caller? CallerOf(JsonElement payload)
    {
        if (TextOf(payload, "sub") is not { Length: > 0 and <= 255 } subject || subject.Any(char.IsControl)) return null;
        var display = TextOf(payload, "name") ?? TextOf(payload, "preferred_username") ?? TextOf(payload, "email") ?? "";
        return new Caller($"user:{subject}", RolesClaimReader.Read(payload, _oidc), display.Length <= 255 ? display : display[..255]);
    }

    private static string? TextOf(JsonElement payload, string claim) =>
        payload.TryGetProperty(claim, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
