using System.Text.Json;
using MlOps.ServiceDefaults;

namespace MlOps.Gateway.Splits;

/// <summary>
/// Reads the members of a JSON object whose author is told everything wrong with them at once: a member of another kind than
/// asked for counts as absent, and one that nobody asked for is a violation as well.
/// </summary>
/// <param name="element">Of any kind; one that is no object is a violation and has no members.</param>
/// <param name="path">Where it stands, e.g. <c>policies[3]</c>; empty at the top.</param>
/// <param name="violations">Takes what is wrong.</param>
internal sealed class JsonFields(JsonElement element, string path, Violations violations)
{
    private readonly HashSet<string> _asked = new(StringComparer.Ordinal);
    private readonly bool _isObject = IsObject(element, path, violations);

    public string PathOf(string name) => path.Length == 0 ? name : $"{path}.{name}";

    public string Text(string name) => Find(name, JsonValueKind.String)?.GetString() ?? "";

    public double? Number(string name) => Find(name, JsonValueKind.Number)?.GetDouble();

    public JsonElement? Object(string name) => Find(name, JsonValueKind.Object);

    public IReadOnlyList<JsonElement> Array(string name) => Find(name, JsonValueKind.Array) is { } array ? [.. array.EnumerateArray()] : [];

    /// <summary>Once all names are asked for, the others are misspelt.</summary>
    public void RefuseOthers()
    {
        if (!_isObject) return;
        foreach (var member in element.EnumerateObject().Where(m => !_asked.Contains(m.Name)))
        {
            violations.Add(PathOf(member.Name), $"is not known; there are {string.Join(", ", _asked)}");
        }
    }

    private JsonElement? Find(string name, JsonValueKind kind)
    {
        _asked.Add(name);
        if (!_isObject || !element.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null) return null;
        if (value.ValueKind == kind) return value;
        violations.Add(PathOf(name), $"must be {Word(kind)}");
        return null;
    }

    private static bool IsObject(JsonElement element, string path, Violations violations)
    {
        var isObject = element.ValueKind == JsonValueKind.Object;
        violations.AddIf(!isObject, path.Length == 0 ? "file" : path, "must be an object");
        return isObject;
    }

    private static string Word(JsonValueKind kind) => kind switch
    {
        JsonValueKind.Number => "a number",
        JsonValueKind.String => "a text",
        JsonValueKind.Array => "an array",
        _ => "an object",
    };
}
