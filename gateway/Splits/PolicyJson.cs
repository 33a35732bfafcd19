using System.Text.Json;
using System.Text.Json.Serialization;

namespace MlOps.Gateway.Splits;

/// <summary>Policies as JSON, in the database and over REST alike: names as in the proto, unknown names refused.</summary>
internal static class PolicyJson
{
    public static JsonSerializerOptions Options { get; } = Configure(new JsonSerializerOptions(JsonSerializerDefaults.Web));

    public static JsonSerializerOptions Configure(JsonSerializerOptions options)
    {
        options.PropertyNamingPolicy = JsonNamingPolicy.SnakeCaseLower;
        options.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        options.DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull;
        return options;
    }
}
