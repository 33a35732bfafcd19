using System.Text.Json;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.Explanations;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>
/// Reads what the V1 protocol and MLflow's scoring server take, e.g. <c>{"instances":[{"hour":7},{"hour":8}]}</c> or
/// <c>{"dataframe_split":{"columns":["hour"],"data":[[7],[8]]}}</c>: exactly one of the forms allowed.
/// </summary>
internal static class ScoringJson
{
    public static readonly string[] V1Forms = ["instances"];
    public static readonly string[] MlflowForms = ["dataframe_split", "dataframe_records", "instances", "inputs"];

    /// <param name="body">The JSON.</param>
    /// <param name="forms">Names of the forms allowed.</param>
    /// <param name="inputs">The model's inputs in order, which rows that are arrays follow.</param>
    /// <param name="takesExplain">Whether <c>explain</c> beside the rows says how they are explained; else it is let be.</param>
    /// <exception cref="InvalidRequestException">JSON_INVALID: not JSON, or not of this form. EXPLAIN_INVALID.</exception>
    public static (Table Rows, ExplainOptions? Explain) Read(
        ReadOnlySpan<byte> body, string[] forms, IReadOnlyList<string> inputs, bool takesExplain = false)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            return Read(ref reader, forms, inputs, takesExplain);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The second is the reader's word for a string that is no text: a lone surrogate, a torn UTF-8 sequence.
            throw Invalid($"The body is not valid JSON: {e.Message}");
        }
    }

    private static (Table Rows, ExplainOptions? Explain) Read(
        ref Utf8JsonReader reader, string[] forms, IReadOnlyList<string> inputs, bool takesExplain)
    {
        Table? rows = null;
        ExplainOptions? explain = null;
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) throw Invalid("the request must be an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (takesExplain && reader.ValueTextEquals("explain"u8))
            {
                explain = ExplainJson.Read(ref reader);
                continue;
            }

            var form = FormOf(ref reader, forms);
            if (form is null)
            {
                // MLflow's "params", the V1 protocol's "signature_name": the models here take none.
                reader.Read();
                reader.Skip();
                continue;
            }

            if (rows is not null) throw Invalid($"must have exactly one of {string.Join(", ", forms)}");
            rows = form switch
            {
                "dataframe_split" => ReadSplit(ref reader),
                "dataframe_records" => new RowsReader([]).ReadRows(ref reader, form),
                _ => ReadTensors(ref reader, form, inputs),
            };
        }

        // Reads on, so that anything behind the object is an error.
        reader.Read();
        return (rows ?? throw Invalid($"must have one of {string.Join(", ", forms)}"), explain);
    }

    private static string? FormOf(ref Utf8JsonReader reader, string[] forms)
    {
        foreach (var form in forms)
        {
            if (reader.ValueTextEquals(form)) return form;
        }

        return null;
    }

    // Rows, or an object of columns.
    private static Table ReadTensors(ref Utf8JsonReader reader, string form, IReadOnlyList<string> inputs)
    {
        var ahead = reader;
        ahead.Read();
        if (ahead.TokenType != JsonTokenType.StartObject || form == "instances") return new RowsReader(inputs).ReadRows(ref reader, form);
        reader = ahead;
        return new RowsReader(inputs).ReadColumns(ref reader, form);
    }

    // {"columns":["a","b"],"data":[[1,2],[3,4]]}, in any order.
    private static Table ReadSplit(ref Utf8JsonReader reader)
    {
        List<string>? columns = null;
        Utf8JsonReader data = default;
        var hasData = false;
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject) throw Invalid("'dataframe_split' must be an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("columns"u8)) columns = ReadNames(ref reader);
            else
            {
                if (reader.ValueTextEquals("data"u8))
                {
                    hasData = true;
                    data = reader;
                }

                reader.Read();
                reader.Skip();
            }
        }

        if (columns is null || !hasData) throw Invalid("'dataframe_split' must have 'columns' and 'data'");
        return new RowsReader(columns).ReadRows(ref data, "data");
    }

    private static List<string> ReadNames(ref Utf8JsonReader reader)
    {
        var names = new List<string>();
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray) throw Invalid("'columns' must be an array");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            if (reader.TokenType != JsonTokenType.String) throw Invalid("'columns' must be names");
            names.Add(reader.GetString()!); // A string token is never null.
        }

        return names;
    }

    private static InvalidRequestException Invalid(string message) => new("JSON_INVALID", message);
}
