using System.ComponentModel.DataAnnotations;
using MlOps.Gateway.Access.Tokens;

namespace MlOps.Gateway.Access;

/// <summary>Who gets in; section <c>Access</c>.</summary>
internal sealed record AccessOptions : IValidatableObject
{
    /// <summary><c>Open</c>: whoever reaches the gateway may do anything, so it listens on loopback only. <c>Closed</c>: a key or a token is asked for.</summary>
    public AccessMode Mode { get; init; } = AccessMode.Open;

    /// <summary>A key that may do anything, to make the first keys with; empty: none. It is kept nowhere else.</summary>
    [RegularExpression(
        "(mlops_[a-z2-7]{16}_[A-Za-z0-9_-]{43})?",
        ErrorMessage = "Access:AdminKey must be 'mlops_', 16 of a-z and 2-7, '_' and 43 of A-Z, a-z, 0-9, - and _, all of them random.")]
    public string AdminKey { get; init; } = "";

    /// <summary>Whose tokens are taken besides keys.</summary>
    public OidcOptions Oidc { get; init; } = new();

    /// <summary>How often a replica asks the database whether it missed a change of the keys: how long a revoked key lives where the broker is away.</summary>
    [Range(typeof(TimeSpan), "00:00:00.05", "00:10:00")]
    public TimeSpan KeyCheckInterval { get; init; } = TimeSpan.FromSeconds(0.5);

    /// <summary>How often it is written down when keys were last used.</summary>
    [Range(typeof(TimeSpan), "00:00:00.1", "01:00:00")]
    public TimeSpan LastUsedInterval { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a key lives unless its maker says otherwise.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "1826.00:00:00")]
    public TimeSpan KeyLifetime { get; init; } = TimeSpan.FromDays(365);

    /// <summary>How long the old secret of a rotated key is good beside the new one, unless said otherwise.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "30.00:00:00")]
    public TimeSpan KeyOverlap { get; init; } = TimeSpan.FromDays(1);

    /// <summary>What a caller may ask of a model, in requests per second and replica, unless its key says otherwise; 0: as much as it likes.</summary>
    [Range(0.0, 1_000_000.0)]
    public double RequestsPerSecond { get; init; } = 5_000;

    /// <summary>How many of those requests may come at once after a pause.</summary>
    [Range(1, 1_000_000)]
    public int Burst { get; init; } = 10_000;

    // The annotations of what is within are not looked at by themselves.
    public IEnumerable<ValidationResult> Validate(ValidationContext validationContext)
    {
        var found = new List<ValidationResult>();
        Validator.TryValidateObject(Oidc, new ValidationContext(Oidc), found, validateAllProperties: true);
        return found;
    }
}

/// <summary>Whether callers must say who they are.</summary>
internal enum AccessMode
{
    /// <summary>Nobody is asked; only on loopback.</summary>
    Open,

    /// <summary>Everybody is.</summary>
    Closed,
}
