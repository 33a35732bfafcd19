using System.Security.Cryptography;
using System.Text.Json;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Splits;

/// <summary>The policies of a file that breaks no rule, and the SHA-256 of its bytes in hex.</summary>
internal sealed record PolicyFile(IReadOnlyList<TrafficPolicy> Policies, string Digest)
{
    public static PolicyFile None { get; } = new([], "");
}

/// <summary>
/// Reads a policy file: <c>{"policies": [{"model": "flight-delay", "arms": [{"name": "champion", "version": "1", "weight": 1}]}]}</c>,
/// each policy as the API takes it; comments and trailing commas are allowed.
/// </summary>
internal static class PolicyFileReader
{
    private static readonly JsonDocumentOptions Lenient = new()
    {
        CommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        AllowDuplicateProperties = false,
    };

    /// <summary>Null when a rule is broken; then every one that is stands in <paramref name="violations"/>.</summary>
    /// <param name="json">The file's bytes.</param>
    /// <param name="writtenAt">Of the file; what its policies say as the time of their last change.</param>
    /// <param name="violations">Takes what is wrong.</param>
    public static PolicyFile? Read(ReadOnlyMemory<byte> json, DateTimeOffset writtenAt, Violations violations)
    {
        try
        {
            using var document = JsonDocument.Parse(WithoutMark(json), Lenient);
            var file = new JsonFields(document.RootElement, "", violations);
            var policies = file.Array("policies").Select((p, i) => Policy(p, $"policies[{i}]", writtenAt, violations)).ToArray();
            file.RefuseOthers();
            CheckModels(policies, violations);
            return violations.Any ? null : new PolicyFile(policies, DigestOf(json.Span));
        }
        catch (JsonException e)
        {
            violations.Add("file", $"is not JSON: {e.Message}");
            return null;
        }
    }

    public static string DigestOf(ReadOnlySpan<byte> json) => Convert.ToHexStringLower(SHA256.HashData(json));

    private static TrafficPolicy Policy(JsonElement element, string path, DateTimeOffset writtenAt, Violations violations)
    {
        var forms = new Violations();
        var fields = new JsonFields(element, path, forms);
        var policy = new TrafficPolicy(
            fields.Text("model"),
            [.. fields.Array("arms").Select((a, i) => Arm(a, $"{path}.arms[{i}]", forms))],
            fields.Text("salt"), fields.Number("coverage") ?? 1, fields.Text("subject_header"), 0, writtenAt)
        { Owner = PolicyOwner.File }.WithDefaults();
        fields.RefuseOthers();

        var rules = new Violations();
        rules.CheckPolicy(policy);
        foreach (var violation in forms.Found) violations.Add(violation.Field, violation.Rule);
        // A field of the wrong kind is absent to the rules; what they say of that would only confuse.
        var known = forms.Found.Select(f => f.Field).ToHashSet(StringComparer.Ordinal);
        foreach (var (field, rule) in rules.Found.Where(r => !known.Contains($"{path}.{r.Field}"))) violations.Add($"{path}.{field}", rule);
        return policy;
    }

    private static PolicyArm Arm(JsonElement element, string path, Violations violations)
    {
        var fields = new JsonFields(element, path, violations);
        var arm = new PolicyArm(fields.Text("name"), fields.Text("version"), fields.Number("weight") ?? double.NaN);
        fields.RefuseOthers();
        return arm;
    }

    private static void CheckModels(TrafficPolicy[] policies, Violations violations)
    {
        var first = new Dictionary<string, int>(StringComparer.Ordinal);
        for (var i = 0; i < policies.Length; i++)
        {
            var model = policies[i].Model;
            violations.AddIf(
                !first.TryAdd(model, i) && model.Length > 0,
                $"policies[{i}].model", $"'{model}' has its policy in policies[{first[model]}]; a model has one");
        }
    }

    // Some editors begin a file with the byte order mark of UTF-8.
    private static ReadOnlyMemory<byte> WithoutMark(ReadOnlyMemory<byte> json) =>
        json.Span is [0xEF, 0xBB, 0xBF, ..] ? json[3..] : json;
}
