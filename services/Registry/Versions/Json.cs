using System.Text.Json;
using System.Text.Json.Serialization;
using Npgsql;
using NpgsqlTypes;

namespace MlOps.Registry.Versions;

/// <summary>Maps of texts as jsonb columns.</summary>
internal static partial class Json
{
    public static NpgsqlParameter Parameter(IDictionary<string, string> texts) =>
        Parameter(JsonSerializer.Serialize(new Dictionary<string, string>(texts), Texts.Default.DictionaryStringString));

    public static NpgsqlParameter Parameter(string json) => new() { Value = json, NpgsqlDbType = NpgsqlDbType.Jsonb };

    public static Dictionary<string, string> ToTexts(string json) =>
        JsonSerializer.Deserialize(json, Texts.Default.DictionaryStringString) ?? [];

    [JsonSerializable(typeof(Dictionary<string, string>))]
    private sealed partial class Texts : JsonSerializerContext;
}
