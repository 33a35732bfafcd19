using System.Text.RegularExpressions;
using MlOps.ServiceDefaults;

namespace MlOps.Registry;

/// <summary>
/// What names and texts may look like; the lengths are those of MLflow's store, so that runs can move between both.
/// </summary>
internal static partial class Names
{
    public const int MaxText = 5_000;

    /// <summary>PostgreSQL keeps no NUL in a text.</summary>
    public static void CheckText(this Violations violations, string field, string value, int maxLength)
    {
        violations.AddIf(value.Length > maxLength, field, $"must have at most {maxLength:N0} characters");
        violations.AddIf(value.Contains('\0'), field, "must not contain the character NUL");
    }

    /// <summary>Names of parameters, metrics and tags, which become paths in clients.</summary>
    public static void CheckKey(this Violations violations, string field, string key)
    {
        if (key.Length is 0 or > 250 || !KeyPattern().IsMatch(key) || key.Split('/').Any(s => s is "" or "." or ".."))
        {
            violations.Add(
                field, $"'{key}': 1 to 250 of letters, digits, _ . - space and /, as a path without empty, . or .. parts");
        }
    }

    public static bool IsRunId(string value) => RunIdPattern().IsMatch(value);

    public static void CheckRunId(this Violations violations, string field, string runId) =>
        violations.AddIf(runId.Length > 0 && !IsRunId(runId), field, "32 lower-case hex digits, or empty");

    public static void CheckModel(this Violations violations, string model) => violations.AddIf(
        !ModelPattern().IsMatch(model), "model", "1 to 255 of letters, digits, - _ and ., starting with a letter or digit");

    public static void CheckAlias(this Violations violations, string alias)
    {
        violations.AddIf(!AliasPattern().IsMatch(alias), "alias", "1 to 255 of letters, digits, - and _");
        violations.AddIf(ReservedAliasPattern().IsMatch(alias), "alias", "'latest' and 'v' with digits are reserved");
    }

    [GeneratedRegex(@"\A[0-9a-f]{32}\z")]
    private static partial Regex RunIdPattern();

    [GeneratedRegex(@"\A[/\w.\- ]+\z")]
    private static partial Regex KeyPattern();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9_.\-]{0,254}\z")]
    private static partial Regex ModelPattern();

    [GeneratedRegex(@"\A[A-Za-z0-9_\-]{1,255}\z")]
    private static partial Regex AliasPattern();

    [GeneratedRegex(@"\A(latest|v[0-9]+)\z", RegexOptions.IgnoreCase)]
    private static partial Regex ReservedAliasPattern();
}
