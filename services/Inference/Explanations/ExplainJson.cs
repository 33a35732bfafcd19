using System.Text.Json;
using MlOps.Inference.Protocol;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Explanations;

/// <summary>
/// Reads what a request says of its explanation: <c>true</c>, a method, or
/// <c>{"method":"sampling","output":"probabilities[1]","samples":256,"seed":7,"background":[{"hour":8}]}</c>.
/// </summary>
internal static class ExplainJson
{
    /// <summary>Reads the value after the property the reader stands on.</summary>
    /// <returns>Null: nothing is to be explained.</returns>
    /// <exception cref="InvalidRequestException">JSON_INVALID, EXPLAIN_INVALID, ROWS_INVALID.</exception>
    public static ExplainOptions? Read(ref Utf8JsonReader reader)
    {
        reader.Read();
        return reader.TokenType switch
        {
            JsonTokenType.True => ExplainOptions.Default,
            JsonTokenType.False or JsonTokenType.Null => null,
            JsonTokenType.String => new ExplainOptions { Method = ExplainOptions.MethodOf(reader.GetString() ?? "") },
            JsonTokenType.StartObject => ReadObject(ref reader).Checked(),
            _ => throw Invalid("'explain' must be true, false, the name of a method, or an object"),
        };
    }

    private static ExplainOptions ReadObject(ref Utf8JsonReader reader)
    {
        var options = ExplainOptions.Default;
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("method"u8)) options = options with { Method = ExplainOptions.MethodOf(ReadText(ref reader, "method")) };
            else if (reader.ValueTextEquals("output"u8)) options = options with { Output = ReadText(ref reader, "output") };
            else if (reader.ValueTextEquals("samples"u8)) options = options with { Samples = ReadInteger(ref reader, "samples") };
            else if (reader.ValueTextEquals("seed"u8)) options = options with { Seed = ReadInteger(ref reader, "seed") };
            else if (reader.ValueTextEquals("background"u8)) options = options with { Background = RowsJson.ReadRows(ref reader) };
            else
            {
                throw Invalid(
                    $"'explain.{reader.GetString()}' is not known; there are 'method', 'output', 'samples', 'seed' and 'background'");
            }
        }

        return options;
    }

    private static string ReadText(ref Utf8JsonReader reader, string name)
    {
        reader.Read();
        return reader.TokenType == JsonTokenType.String
            ? reader.GetString() ?? ""
            : throw Invalid($"'explain.{name}' must be a string");
    }

    private static int ReadInteger(ref Utf8JsonReader reader, string name)
    {
        reader.Read();
        return reader.TokenType == JsonTokenType.Number && reader.TryGetInt32(out var integer)
            ? integer
            : throw Invalid($"'explain.{name}' must be a whole number of 32 bits");
    }

    private static InvalidRequestException Invalid(string message) => new("JSON_INVALID", message);
}
