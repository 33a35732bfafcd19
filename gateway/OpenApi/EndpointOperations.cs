using System.Globalization;
using System.Reflection;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Schema;
using System.Text.Json.Serialization;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Mvc;
using MlOps.Gateway.Access;

namespace MlOps.Gateway.OpenApi;

/// <summary>The gateway's own REST routes, described by what they are mapped with.</summary>
internal static class EndpointOperations
{
    private static readonly JsonSchemaExporterOptions NotNull = new() { TreatNullObliviousAsNonNullable = true };

    public static void AddTo(JsonObject paths, IEnumerable<Endpoint> endpoints, JsonSerializerOptions serializer)
    {
        // Numbers are taken as texts too, but nobody is to be told to send them so.
        var json = new JsonSerializerOptions(serializer) { NumberHandling = JsonNumberHandling.Strict };
        foreach (var endpoint in endpoints.OfType<RouteEndpoint>())
        {
            if (endpoint.Metadata.GetMetadata<IEndpointSummaryMetadata>() is not { } summary
                || endpoint.Metadata.GetMetadata<MethodInfo>() is not { } handler) continue;
            foreach (var method in endpoint.Metadata.GetMetadata<HttpMethodMetadata>()?.HttpMethods ?? [])
            {
                var path = AccessRules.PatternOf(endpoint);
                var operation = new JsonObject
                {
                    ["tags"] = new JsonArray([.. endpoint.Metadata.GetOrderedMetadata<ITagsMetadata>().SelectMany(t => t.Tags).Select(t => (JsonNode)t)]),
                    ["summary"] = summary.Summary,
                };
                JsonObject[] parameters = [.. Operation.PathParameters(path), .. QueryParameters(handler, json)];
                if (parameters.Length > 0) operation["parameters"] = new JsonArray([.. parameters]);
                if (endpoint.Metadata.GetMetadata<IAcceptsMetadata>() is { RequestType: { } body } accepts)
                {
                    operation["requestBody"] = new JsonObject
                    {
                        ["required"] = !accepts.IsOptional,
                        ["content"] = Json(SchemaOf(body, json)),
                    };
                }

                operation["responses"] = Responses(endpoint, json);
                Operation.Add(paths, method, path, operation);
            }
        }
    }

    private static IEnumerable<JsonObject> QueryParameters(MethodInfo handler, JsonSerializerOptions json) =>
        from parameter in handler.GetParameters()
        let query = parameter.GetCustomAttribute<FromQueryAttribute>()
        where query is not null
        select new JsonObject
        {
            ["name"] = query.Name ?? parameter.Name,
            ["in"] = "query",
            ["schema"] = SchemaOf(parameter.ParameterType, json),
        };

    private static JsonObject Responses(Endpoint endpoint, JsonSerializerOptions json)
    {
        var responses = new JsonObject();
        foreach (var produces in endpoint.Metadata.GetOrderedMetadata<IProducesResponseTypeMetadata>().Where(p => p.StatusCode < 400))
        {
            var response = new JsonObject { ["description"] = produces.StatusCode == 204 ? "Done; there is nothing to say." : "The answer." };
            if (produces.Type is { } type && type != typeof(void)) response["content"] = Json(SchemaOf(type, json));
            responses[$"{produces.StatusCode}"] = response;
        }

        if (responses.Count == 0) responses["200"] = new JsonObject { ["description"] = "The answer." };
        responses["default"] = Operation.Problem();
        return responses;
    }

    private static JsonObject Json(JsonNode schema) => new() { ["application/json"] = new JsonObject { ["schema"] = schema } };

    private static JsonNode SchemaOf(Type type, JsonSerializerOptions json)
    {
        var schema = json.GetJsonSchemaAsNode(type, NotNull);
        Inline(schema, schema);
        return schema;
    }

    // A type met again is a reference from the schema's own root, "#/properties/a/items", which is no root within the document.
    private static void Inline(JsonNode? node, JsonNode root)
    {
        if (node is JsonArray array)
        {
            foreach (var item in array) Inline(item, root);
        }

        if (node is not JsonObject o) return;
        Relax(o);
        foreach (var (name, value) in o.ToArray())
        {
            if (value is JsonObject { Count: > 0 } inner && inner["$ref"] is JsonValue reference)
            {
                var target = reference.GetValue<string>().Split('/').Skip(1)
                    .Aggregate((JsonNode?)root, (at, part) => at is JsonArray a ? a[int.Parse(part, CultureInfo.InvariantCulture)] : at?[part]);
                o[name] = target?.DeepClone();
            }

            Inline(o[name], root);
        }
    }

    // What a reader takes for missing may be left out.
    private static void Relax(JsonObject schema)
    {
        if (schema["required"] is not JsonArray required || schema["properties"] is not JsonObject properties) return;
        foreach (var name in required.ToArray())
        {
            if (name is null || properties[name.GetValue<string>()] is JsonObject property && property["type"] is not JsonArray) continue;
            required.Remove(name);
        }

        if (required.Count == 0) schema.Remove("required");
    }
}
