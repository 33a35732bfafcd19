using System.Text;
using System.Text.RegularExpressions;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Access.Keys;

/// <summary>What a wanted key may look like; every broken rule is reported at once.</summary>
internal static partial class ApiKeyRules
{
    public const int MaxGrants = 32;
    public static readonly TimeSpan MaxLifetime = TimeSpan.FromDays(5 * 365);
    public static readonly TimeSpan MaxOverlap = TimeSpan.FromDays(30);
    private const double MaxRate = 1_000_000;

    public static void CheckKey(this Violations violations, WantedKey wanted)
    {
        violations.AddIf(
            wanted.Name.Length is 0 or > 255 || !IsPlain(wanted.Name), "name", "1 to 255 characters, none of them control characters");
        violations.AddIf(wanted.Grants.Count is 0 or > MaxGrants, "grants", $"must be 1 to {MaxGrants} grants");
        for (var i = 0; i < Math.Min(wanted.Grants.Count, MaxGrants); i++)
        {
            violations.AddIf(
                Role.Find(wanted.Grants[i].Role) is null, $"grants[{i}].role",
                $"must be one of {string.Join(", ", Role.All.Select(r => r.Name))}");
            violations.AddIf(
                !PatternPattern().IsMatch(wanted.Grants[i].Models), $"grants[{i}].models",
                "1 to 255 of letters, digits, - _ . and *, which stands for anything; * alone is the whole platform");
        }

        violations.AddIf(
            wanted.Lifetime is { } lifetime && (lifetime <= TimeSpan.Zero || lifetime > MaxLifetime), "lifetime_seconds",
            $"must be 1 to {MaxLifetime.TotalSeconds:0} seconds (five years), or 0 for the platform's default");
        violations.AddIf(
            wanted.RequestsPerSecond is { } rate && !(rate is >= 0.001 and <= MaxRate), "requests_per_second",
            $"must be 0.001 to {MaxRate:0}, or 0 for the platform's default");
        violations.AddIf(
            wanted.Burst is { } burst && burst is < 1 or > (int)MaxRate, "burst",
            $"must be 1 to {MaxRate:0} requests, or 0 for the platform's default");
    }

    private static bool IsPlain(string text) =>
        text.EnumerateRunes().All(r => !Rune.IsControl(r) && r != Rune.ReplacementChar);

    [GeneratedRegex(@"\A[A-Za-z0-9_.\-*]{1,255}\z")]
    private static partial Regex PatternPattern();
}

/// <summary>A key as somebody asks for it; null where the platform's default is meant.</summary>
internal sealed record WantedKey(
    string Name, IReadOnlyList<WantedGrant> Grants, TimeSpan? Lifetime, double? RequestsPerSecond, int? Burst);

/// <summary>A role by its name and a pattern of models' names.</summary>
internal sealed record WantedGrant(string Role, string Models);
