using System.Text.Json.Nodes;
using Google.Protobuf.Reflection;

namespace MlOps.Gateway.OpenApi;

/// <summary>JSON schemas of protobuf messages in their JSON form, each once under <c>components/schemas</c>.</summary>
internal sealed class MessageSchemas(JsonObject components)
{
    /// <summary>A reference to the message's schema, which is there from then on.</summary>
    public JsonObject Of(MessageDescriptor message)
    {
        if (!components.ContainsKey(message.FullName))
        {
            var schema = new JsonObject { ["type"] = "object" };
            // Before its fields, which may have the same message again.
            components[message.FullName] = schema;
            Describe(schema, message);
            var properties = new JsonObject();
            foreach (var field in message.Fields.InDeclarationOrder()) properties[field.Name] = OfField(field);
            schema["properties"] = properties;
        }

        return Reference(message.FullName);
    }

    private JsonObject OfField(FieldDescriptor field)
    {
        JsonObject schema;
        if (field.IsMap)
        {
            var value = field.MessageType.Fields.InFieldNumberOrder()[1];
            schema = new JsonObject { ["type"] = "object", ["additionalProperties"] = OfSingle(value) };
        }
        else
        {
            schema = OfSingle(field);
            if (field.IsRepeated) schema = new JsonObject { ["type"] = "array", ["items"] = schema };
        }

        Describe(schema, field);
        return schema;
    }

    private JsonObject OfSingle(FieldDescriptor field) => field.FieldType switch
    {
        FieldType.Message or FieldType.Group => Of(field.MessageType),
        FieldType.Enum => OfEnum(field.EnumType),
        FieldType.Bool => new() { ["type"] = "boolean" },
        FieldType.String => new() { ["type"] = "string" },
        FieldType.Bytes => new() { ["type"] = "string", ["contentEncoding"] = "base64" },
        FieldType.Double => new() { ["type"] = "number", ["format"] = "double" },
        FieldType.Float => new() { ["type"] = "number", ["format"] = "float" },
        // Text, since many readers of JSON keep no more than 53 bits of a number; numbers are taken as well.
        FieldType.Int64 or FieldType.SInt64 or FieldType.SFixed64 => new() { ["type"] = "string", ["format"] = "int64" },
        FieldType.UInt64 or FieldType.Fixed64 => new() { ["type"] = "string", ["format"] = "uint64" },
        FieldType.UInt32 or FieldType.Fixed32 => new() { ["type"] = "integer", ["format"] = "uint32" },
        _ => new() { ["type"] = "integer", ["format"] = "int32" },
    };

    private JsonObject OfEnum(EnumDescriptor type)
    {
        if (!components.ContainsKey(type.FullName))
        {
            var schema = new JsonObject { ["type"] = "string", ["enum"] = new JsonArray([.. type.Values.Select(v => (JsonNode)v.Name)]) };
            Describe(schema, type);
            components[type.FullName] = schema;
        }

        return Reference(type.FullName);
    }

    private static void Describe(JsonObject schema, IDescriptor described)
    {
        if (ProtoComments.Of(described) is { Length: > 0 } text) schema["description"] = text;
    }

    private static JsonObject Reference(string name) => new() { ["$ref"] = $"#/components/schemas/{name}" };
}
