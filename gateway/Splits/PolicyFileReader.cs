using System.Security.Cryptography;
using System.Text.Json;
using MlOps.Numerics.Assignment;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Splits;

/// <summary>
/// The policies of a file that breaks no rule, its holdout (null: the gateway's own setting counts), and the SHA-256 of its
/// bytes in hex.
/// </summary>
internal sealed record PolicyFile(IReadOnlyList<TrafficPolicy> Policies, Holdout? Holdout, string Digest)
{
    public static PolicyFile None { get; } = new([], null, "");
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
            var holdout = file.Object("holdout") is { } found ? ReadHoldout(found, violations) : null;
            file.RefuseOthers();
            CheckModels(policies, violations);
            CheckLayers(policies, violations);
            return violations.Any ? null : new PolicyFile(policies, holdout, DigestOf(json.Span));
        }
        catch (JsonException e)
        {
            violations.Add("file", $"is not JSON: {e.Message}");
            return null;
        }
        catch (InvalidOperationException)
        {
            violations.Add("file", "has half a surrogate pair in a text");
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
        {
            SubjectInput = fields.Text("subject_input"),
            SubjectJson = fields.Text("subject_json"),
            Layer = fields.Object("layer") is { } layer ? Layer(layer, $"{path}.layer", forms) : null,
            Shadows = [.. fields.Array("shadows").Select((s, i) => Shadow(s, $"{path}.shadows[{i}]", forms))],
            Owner = PolicyOwner.File,
        }.WithDefaults();
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

    private static PolicyShadow Shadow(JsonElement element, string path, Violations violations)
    {
        var fields = new JsonFields(element, path, violations);
        var shadow = new PolicyShadow(fields.Text("version"), fields.Number("rate") ?? double.NaN);
        fields.RefuseOthers();
        return shadow;
    }

    private static PolicyLayer Layer(JsonElement element, string path, Violations violations)
    {
        var fields = new JsonFields(element, path, violations);
        var layer = new PolicyLayer(fields.Text("name"), fields.Number("start") ?? double.NaN, fields.Number("end") ?? double.NaN);
        fields.RefuseOthers();
        return layer;
    }

    private static Holdout ReadHoldout(JsonElement element, Violations violations)
    {
        var fields = new JsonFields(element, "holdout", violations);
        var (share, salt) = (fields.Number("share"), fields.Text("salt"));
        fields.RefuseOthers();
        violations.AddIf(share is not (>= 0 and <= 1), "holdout.share", "must be between 0 and 1");
        violations.AddIf(salt.Length > 255, "holdout.salt", "at most 255 characters");
        return new Holdout(salt.Length > 0 ? salt : "holdout", share ?? 0);
    }

    private static void CheckLayers(TrafficPolicy[] policies, Violations violations)
    {
        // In order of their starts only neighbours can overlap.
        var byLayer = policies.Select((p, i) => (p.Layer, i)).Where(p => p.Layer is not null).GroupBy(p => p.Layer?.Name);
        foreach (var (one, other) in byLayer.Select(l => l.OrderBy(p => p.Layer?.Start).ToArray()).SelectMany(l => l.Zip(l.Skip(1))))
        {
            violations.AddIf(
                one.Layer?.Overlaps(other.Layer) == true,
                $"policies[{other.i}].layer", $"overlaps that of policies[{one.i}]; experiments of a layer must not");
        }
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
