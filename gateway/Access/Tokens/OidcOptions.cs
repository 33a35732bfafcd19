using System.ComponentModel.DataAnnotations;
using System.Net;

namespace MlOps.Gateway.Access.Tokens;

/// <summary>Whose tokens are taken, and what they say; section <c>Access:Oidc</c>.</summary>
internal sealed record OidcOptions : IValidatableObject
{
    /// <summary>The issuer as its tokens name it; <c>/.well-known/openid-configuration</c> below it says where its keys are. Empty: no tokens are taken.</summary>
    public string Issuer { get; init; } = "";

    /// <summary>Who the tokens are for, as they say in <c>aud</c>: this platform.</summary>
    public string Audience { get; init; } = "";

    /// <summary>The claim with the roles: a text, a text with spaces, or a list. Dots lead into objects, as in <c>realm_access.roles</c>.</summary>
    [Required]
    public string RolesClaim { get; init; } = "roles";

    /// <summary>
    /// What a value of the claim grants: <c>fraud-team</c> → <c>data-scientist:fraud-*</c>. A value that is not here grants the
    /// role it names, if it names one; <c>operator</c> alone is over the whole platform.
    /// </summary>
    public Dictionary<string, string> Roles { get; init; } = [];

    /// <summary>How far the clocks of issuer and platform may differ.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:10:00")]
    public TimeSpan ClockSkew { get; init; } = TimeSpan.FromMinutes(1);

    /// <summary>How old the issuer's keys may get before they are fetched again.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "1.00:00:00")]
    public TimeSpan KeysMaxAge { get; init; } = TimeSpan.FromHours(1);

    /// <summary>How often at most they are fetched because a token names a key that is not among them.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "00:10:00")]
    public TimeSpan KeysMinAge { get; init; } = TimeSpan.FromSeconds(30);

    public bool IsConfigured => Issuer.Length > 0;

    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        if (!IsConfigured) yield break;
        if (!Uri.TryCreate(Issuer, UriKind.Absolute, out var issuer) || !(issuer.Scheme == Uri.UriSchemeHttps || IsHere(issuer)))
            yield return new ValidationResult("Access:Oidc:Issuer must be an https address; http is for an issuer on this machine only.");
        if (Audience.Length == 0)
            yield return new ValidationResult("Access:Oidc:Audience must be set: a token for somebody else opens nothing here.");
        foreach (var (value, grant) in Roles)
        {
            if (!RolesClaimReader.TryReadGrant(grant, out _))
                yield return new ValidationResult($"Access:Oidc:Roles:{value}={grant} must be a role, or a role, ':' and a pattern of models.");
        }
    }

    private static bool IsHere(Uri issuer) =>
        issuer.Scheme == Uri.UriSchemeHttp && (issuer.IsLoopback || (IPAddress.TryParse(issuer.Host, out var ip) && IPAddress.IsLoopback(ip)));
}
