using System.Text.Json.Nodes;
using MlOps.Gateway.JsonCalls;

namespace MlOps.Gateway.OpenApi;

/// <summary>The gRPC calls as operations of the REST side, described by their protos.</summary>
internal static class CallOperations
{
    public static void AddTo(JsonObject paths, MessageSchemas schemas)
    {
        foreach (var call in JsonCall.All) Operation.Add(paths, "POST", call.RestPath, Describe(call, schemas), call.GrpcPath);
    }

    private static JsonObject Describe(JsonCall call, MessageSchemas schemas)
    {
        var method = call.Method;
        var about = ProtoComments.Of(method);
        var operation = new JsonObject
        {
            ["tags"] = new JsonArray(method.Service.FullName),
            ["summary"] = method.Name,
            ["operationId"] = $"{method.Service.FullName}.{method.Name}",
            ["requestBody"] = new JsonObject
            {
                ["required"] = method.InputType.Fields.InDeclarationOrder().Count > 0,
                ["content"] = Content(method.IsClientStreaming, schemas.Of(method.InputType)),
            },
            ["responses"] = new JsonObject
            {
                ["200"] = new JsonObject
                {
                    ["description"] = method.IsServerStreaming ? "A line for each message, as it comes." : "The answer.",
                    ["content"] = Content(method.IsServerStreaming, Result(method.IsServerStreaming, schemas.Of(method.OutputType))),
                },
                ["default"] = Operation.Problem(),
            },
            ["x-grpc"] = new JsonObject
            {
                ["method"] = call.GrpcPath,
                ["client_streaming"] = method.IsClientStreaming,
                ["server_streaming"] = method.IsServerStreaming,
            },
        };
        if (about.Length > 0) operation["description"] = about;
        return operation;
    }

    private static JsonObject Content(bool isStream, JsonObject schema) =>
        new() { [isStream ? "application/x-ndjson" : "application/json"] = new JsonObject { ["schema"] = schema } };

    private static JsonObject Result(bool isStream, JsonObject schema) => !isStream ? schema : new JsonObject
    {
        ["type"] = "object",
        ["properties"] = new JsonObject
        {
            ["result"] = schema,
            ["error"] = new JsonObject { ["type"] = "object", ["description"] = "In the last line, where the stream did not end well: status, code, detail." },
        },
    };
}
