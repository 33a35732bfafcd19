using System.Text.Json.Nodes;
using MlOps.Gateway.Access;

namespace MlOps.Gateway.OpenApi;

/// <summary>What all operations of the document have in common.</summary>
internal static class Operation
{
    private static readonly Dictionary<(string, string), AccessRule> Routes =
        AccessTable.Rules.ToDictionary(r => (r.Method, r.Pattern));

    /// <param name="paths">The document's.</param>
    /// <param name="method">GET, POST …</param>
    /// <param name="path">As the document has it.</param>
    /// <param name="operation">Without what the table of access says of it.</param>
    /// <param name="call">Of a gRPC call: its path.</param>
    public static void Add(JsonObject paths, string method, string path, JsonObject operation, string? call = null)
    {
        if (Routes.GetValueOrDefault((call is null ? method : "", call ?? path)) is { } rule)
        {
            operation["x-roles"] = new JsonArray([.. Role.All
                .Where(r => rule.Needs == Right.None || (r.Rights & rule.Needs) != 0).Select(r => (JsonNode)r.Name)]);
            operation["security"] = rule.IsPublic
                ? new JsonArray()
                : new JsonArray(new JsonObject { ["key"] = new JsonArray() }, new JsonObject { ["token"] = new JsonArray() });
            if (rule.Changes) operation["x-audited"] = true;
        }

        if (paths[path] is not JsonObject item) paths[path] = item = [];
        item[method.ToLowerInvariant()] = operation;
    }

    public static JsonObject Problem() => new() { ["$ref"] = "#/components/responses/Problem" };

    /// <summary>The parameters in a path, e.g. <c>model</c> of <c>/v2/models/{model}</c>.</summary>
    public static IEnumerable<JsonObject> PathParameters(string path) => path.Split('{').Skip(1)
        .Select(p => p[..p.IndexOf('}', StringComparison.Ordinal)]).Select(name => new JsonObject
        {
            ["name"] = name,
            ["in"] = "path",
            ["required"] = true,
            ["schema"] = new JsonObject { ["type"] = "string" },
        });
}
