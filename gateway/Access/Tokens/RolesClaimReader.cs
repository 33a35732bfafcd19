using System.Diagnostics.CodeAnalysis;
using System.Text.Json;

namespace MlOps.Gateway.Access.Tokens;

/// <summary>Reads grants out of the claims of a token.</summary>
internal static class RolesClaimReader
{
    private const int MaxGrants = 64;

    /// <param name="payload">The claims.</param>
    /// <param name="options">Which claim, and what its values mean.</param>
    public static IReadOnlyList<Grant> Read(JsonElement payload, OidcOptions options)
    {
        var grants = new List<Grant>();
        foreach (var value in Values(Find(payload, options.RolesClaim)).Take(MaxGrants))
        {
            if (TryReadGrant(options.Roles.GetValueOrDefault(value, value), out var grant)) grants.Add(grant);
        }

        return grants;
    }

    /// <summary><c>operator</c> or <c>operator:fraud-*</c>.</summary>
    public static bool TryReadGrant(string text, [NotNullWhen(true)] out Grant? grant)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        var role = Role.Find(colon < 0 ? text : text[..colon]);
        var models = colon < 0 ? Grant.Everything : text[(colon + 1)..];
        grant = role is null || models.Length == 0 ? null : new Grant(role, models);
        return grant is not null;
    }

    // A claim may have dots in its name, as those that are addresses do; only else they lead into objects.
    private static JsonElement Find(JsonElement payload, string claim)
    {
        if (payload.TryGetProperty(claim, out var whole)) return whole;
        var found = payload;
        foreach (var name in claim.Split('.'))
        {
            if (found.ValueKind != JsonValueKind.Object || !found.TryGetProperty(name, out found)) return default;
        }

        return found;
    }

    private static IEnumerable<string> Values(JsonElement claim) => claim.ValueKind switch
    {
        JsonValueKind.String => (claim.GetString() ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries),
        JsonValueKind.Array => claim.EnumerateArray().Where(v => v.ValueKind == JsonValueKind.String).Select(v => v.GetString() ?? ""),
        _ => [],
    };
}
