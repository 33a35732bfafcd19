using System.Text.Json.Nodes;
using Google.Protobuf;
using Google.Protobuf.Reflection;

namespace MlOps.Gateway.Shadows;

/// <summary>A report as JSON: the fields' own names, whole numbers as numbers; what is not known, NaN, is left out.</summary>
internal static class ShadowJson
{
    public static JsonObject Of(IMessage message)
    {
        var json = new JsonObject();
        foreach (var field in message.Descriptor.Fields.InFieldNumberOrder())
        {
            var value = field.Accessor.GetValue(message);
            if (value is null or double.NaN) continue;
            json[field.Name] = field.IsRepeated
                ? new JsonArray([.. ((System.Collections.IEnumerable)value).Cast<object>().Select(one => Of(field, one))])
                : Of(field, value);
        }

        return json;
    }

    private static JsonNode? Of(FieldDescriptor field, object value) => value switch
    {
        IMessage message => Of(message),
        string text => JsonValue.Create(text),
        long number => JsonValue.Create(number),
        double number => JsonValue.Create(number),
        _ => throw new NotSupportedException($"{field.FullName} has no form as JSON."),
    };
}
