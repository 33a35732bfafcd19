using System.Text.Json.Nodes;
using MlOps.Gateway.Access;

namespace MlOps.Gateway.OpenApi;

/// <summary>
/// The REST routes of the services behind the gateway: those of published protocols as <c>forwarded.json</c> describes them; of
/// any other line of the table at least the path, its parameters and who may ask.
/// </summary>
internal static class ForwardedOperations
{
    public static void AddTo(JsonObject paths, JsonObject components)
    {
        using var stream = typeof(ForwardedOperations).Assembly.GetManifestResourceStream("forwarded.json")
            ?? throw new InvalidOperationException("forwarded.json is not in the assembly.");
        var file = JsonNode.Parse(stream)?.AsObject() ?? throw new InvalidOperationException("forwarded.json is no object.");
        foreach (var (name, schema) in file["schemas"]?.AsObject() ?? []) components[name] = schema?.DeepClone();
        var described = file["paths"]?.AsObject() ?? [];
        foreach (var rule in AccessTable.Rules.Where(r => !r.IsGrpc))
        {
            var method = rule.Method.ToLowerInvariant();
            if (paths[rule.Pattern]?[method] is not null) continue;
            var operation = described[rule.Pattern]?[method]?.DeepClone().AsObject() ?? new JsonObject
            {
                ["tags"] = new JsonArray("More"),
                ["summary"] = $"{rule.Method} {rule.Pattern}",
            };
            JsonNode[] parameters = [.. Operation.PathParameters(rule.Pattern), .. operation["parameters"]?.AsArray().Select(p => p?.DeepClone()).OfType<JsonNode>() ?? []];
            if (parameters.Length > 0) operation["parameters"] = new JsonArray(parameters);
            operation["responses"] ??= new JsonObject { ["200"] = new JsonObject { ["description"] = "The answer." } };
            Operation.Add(paths, rule.Method, rule.Pattern, operation);
        }
    }
}
