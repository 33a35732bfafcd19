using System.Text;
using System.Text.RegularExpressions;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Splits;

/// <summary>What a traffic policy may look like; every broken rule is reported at once.</summary>
internal static partial class TrafficPolicyRules
{
    public const int MaxArms = 20;
    public const int MaxShadows = 5;
    private const double WeightTolerance = 1e-9;

    public static void CheckPolicy(this Violations violations, TrafficPolicy policy)
    {
        violations.AddIf(
            !ModelPattern().IsMatch(policy.Model), "model", "1 to 255 of letters, digits, - _ and ., starting with a letter or digit");
        violations.AddIf(
            !SaltPattern().IsMatch(policy.Salt), "salt", "at most 255 printable ASCII characters");
        violations.AddIf(policy.Coverage is not (>= 0 and <= 1), "coverage", "must be between 0 and 1");
        violations.AddIf(
            !HeaderPattern().IsMatch(policy.SubjectHeader), "subject_header", "must be a header name: 1 to 100 of letters, digits and !#$%&'*+-.^_`|~");
        violations.AddIf(
            policy.SubjectInput.Length > 255 || !IsPlain(policy.SubjectInput), "subject_input",
            "must be the name of an input: at most 255 characters, none of them control characters");
        violations.AddIf(
            policy.SubjectJson.Length > 255 || !PointerPattern().IsMatch(policy.SubjectJson), "subject_json",
            "must be a JSON pointer such as /parameters/user, at most 255 characters and 8 parts");
        violations.AddIf(
            policy.SubjectJson.Length > 0 && policy.SubjectInput.Length > 0, "subject_json", "must be empty where subject_input is given");
        if (policy.Layer is { } layer) violations.CheckLayer(layer);
        violations.AddIf(policy.Revision < 0, "revision", "must not be negative");
        violations.CheckArms(policy.Arms);
        violations.CheckShadows(policy.Shadows);
    }

    public static void CheckReason(this Violations violations, string actor, string reason)
    {
        violations.AddIf(actor.Length > 255 || !IsPlain(actor), "actor", "at most 255 characters, none of them control characters");
        violations.AddIf(reason.Length > 2000 || !IsPlain(reason), "reason", "at most 2,000 characters, none of them control characters");
    }

    private static void CheckLayer(this Violations violations, PolicyLayer layer)
    {
        violations.AddIf(
            !ArmPattern().IsMatch(layer.Name), "layer.name", "1 to 64 of letters, digits, - _ and ., starting with a letter or digit");
        violations.AddIf(layer.Start is not (>= 0 and < 1), "layer.start", "must be at least 0 and below 1");
        violations.AddIf(!(layer.End > layer.Start && layer.End <= 1), "layer.end", "must be above the start and at most 1");
    }

    private static void CheckArms(this Violations violations, IReadOnlyList<PolicyArm> arms)
    {
        violations.AddIf(arms.Count is 0 or > MaxArms, "arms", $"must be 1 to {MaxArms} arms");
        if (arms.Count > MaxArms) return;
        for (var i = 0; i < arms.Count; i++)
        {
            var (name, version, weight) = arms[i];
            violations.AddIf(
                !ArmPattern().IsMatch(name), $"arms[{i}].name", "1 to 64 of letters, digits, - _ and ., starting with a letter or digit");
            violations.AddIf(
                arms.Take(i).Any(a => a.Name == name), $"arms[{i}].name", $"'{name}' is the name of an arm before; names are unique");
            violations.AddIf(
                !IsVersion(version), $"arms[{i}].version",
                "must be a version number from 1, or an alias: 1 to 255 of letters, digits, - and _, but not 'latest' or 'v' with digits");
            violations.AddIf(weight is not (>= 0 and <= 1), $"arms[{i}].weight", "must be between 0 and 1");
        }

        var sum = arms.Sum(a => a.Weight);
        violations.AddIf(
            arms.Count > 0 && !(Math.Abs(sum - 1) <= WeightTolerance), "arms", $"weights must sum to 1, not {sum:R}");
    }

    private static void CheckShadows(this Violations violations, IReadOnlyList<PolicyShadow> shadows)
    {
        violations.AddIf(shadows.Count > MaxShadows, "shadows", $"at most {MaxShadows}");
        if (shadows.Count > MaxShadows) return;
        for (var i = 0; i < shadows.Count; i++)
        {
            var (version, rate) = shadows[i];
            // Pairs are found by the version that the log has, which is never an alias.
            violations.AddIf(
                !IsVersion(version) || !version.All(char.IsAsciiDigit), $"shadows[{i}].version", "must be a version number from 1");
            violations.AddIf(
                shadows.Take(i).Any(s => s.Version == version), $"shadows[{i}].version", $"{version} is a shadow before; versions are unique");
            violations.AddIf(rate is not (> 0 and <= 1), $"shadows[{i}].rate", "must be above 0 and at most 1");
        }
    }

    // Digits alone are a version number, never an alias.
    private static bool IsVersion(string version) =>
        version.Length > 0 && version.All(char.IsAsciiDigit)
            ? int.TryParse(version, out var number) && number > 0 && version[0] != '0'
            : AliasPattern().IsMatch(version) && !ReservedAliasPattern().IsMatch(version);

    private static bool IsPlain(string text) =>
        text.EnumerateRunes().All(r => !Rune.IsControl(r) && r != Rune.ReplacementChar);

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9_.\-]{0,254}\z")]
    private static partial Regex ModelPattern();

    [GeneratedRegex(@"\A[A-Za-z0-9][A-Za-z0-9_.\-]{0,63}\z")]
    private static partial Regex ArmPattern();

    [GeneratedRegex(@"\A[A-Za-z0-9_\-]{1,255}\z")]
    private static partial Regex AliasPattern();

    [GeneratedRegex(@"\A(latest|v[0-9]+)\z", RegexOptions.IgnoreCase)]
    private static partial Regex ReservedAliasPattern();

    // A token of RFC 9110, section 5.6.2.
    [GeneratedRegex(@"\A[A-Za-z0-9!#$%&'*+\-.^_`|~]{1,100}\z")]
    private static partial Regex HeaderPattern();

    [GeneratedRegex(@"\A(/([^~/\x00-\x1F]|~[01])*){0,8}\z")]
    private static partial Regex PointerPattern();

    [GeneratedRegex(@"\A[\x20-\x7E]{0,255}\z")]
    private static partial Regex SaltPattern();
}
