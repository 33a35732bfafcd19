using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;

namespace MlOps.Gateway.OpenApi;

/// <summary>
/// The OpenAPI 3.1 document of everything the REST side serves, made once from the contracts, the gateway's own routes and the
/// table of access, so that it cannot say anything else than they do.
/// </summary>
internal sealed class ApiDocument(IServiceProvider services, IOptions<JsonOptions> json)
{
    private readonly Lazy<byte[]> _bytes = new(() => JsonSerializer.SerializeToUtf8Bytes(Make(
        services.GetRequiredService<EndpointDataSource>().Endpoints, json.Value.SerializerOptions)));

    private string? _tag;

    public ReadOnlyMemory<byte> Bytes => _bytes.Value;

    /// <summary>Strong entity tag of <see cref="Bytes"/>, with its quotation marks.</summary>
    public string Tag => _tag ??= $"\"{Convert.ToHexString(SHA256.HashData(_bytes.Value).AsSpan(0, 8))}\"";

    private static JsonObject Make(IEnumerable<Endpoint> endpoints, JsonSerializerOptions json)
    {
        var (paths, schemas) = (new JsonObject(), new JsonObject());
        EndpointOperations.AddTo(paths, endpoints, json);
        ForwardedOperations.AddTo(paths, schemas);
        CallOperations.AddTo(paths, new MessageSchemas(schemas));
        return new JsonObject
        {
            ["openapi"] = "3.1.0",
            ["info"] = new JsonObject
            {
                ["title"] = "MlOps.Aspire",
                ["version"] = typeof(ApiDocument).Assembly.GetName().Version?.ToString(3),
                ["description"] =
                    "Everything the platform serves over REST. Each gRPC call is there as POST /v1/{package.Service}/{Method} with the "
                    + "protobuf JSON of its messages: names as in the proto, 64-bit integers as text, bytes as base64.",
            },
            ["servers"] = new JsonArray(new JsonObject { ["url"] = "/" }),
            ["paths"] = paths,
            ["components"] = new JsonObject
            {
                ["schemas"] = schemas,
                ["responses"] = new JsonObject { ["Problem"] = Problem() },
                ["securitySchemes"] = new JsonObject
                {
                    ["key"] = new JsonObject { ["type"] = "apiKey", ["in"] = "header", ["name"] = "x-api-key" },
                    ["token"] = new JsonObject { ["type"] = "http", ["scheme"] = "bearer" },
                },
            },
        };
    }

    private static JsonObject Problem() => new()
    {
        ["description"] = "Problem details (RFC 9457) with a stable code, and the broken rules by field.",
        ["content"] = new JsonObject
        {
            ["application/problem+json"] = new JsonObject
            {
                ["schema"] = JsonNode.Parse("""
                    {
                      "type": "object",
                      "properties": {
                        "type": {"type": "string"}, "title": {"type": "string"}, "status": {"type": "integer"},
                        "detail": {"type": "string"}, "code": {"type": "string", "description": "Stable, in CAPS."},
                        "errors": {"type": "object", "additionalProperties": {"type": "array", "items": {"type": "string"}}}
                      }
                    }
                    """),
            },
        },
    };
}
