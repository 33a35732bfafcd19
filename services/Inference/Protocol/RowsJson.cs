using System.Text.Json;
using MlOps.Contracts.Tables.V1;
using MlOps.Inference.Explanations;
using MlOps.Inference.Predictions;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>What a predict request by rows asks for.</summary>
internal readonly record struct RowsJsonRequest(Table Rows, bool IncludeFeatures, long MaxAgeSeconds, ExplainOptions? Explain);

/// <summary>
/// Reads rows of named values: <c>{"rows":[{"origin":"ATL","distance":719}],"include_features":false}</c>.
/// A column's kind is that of its values; whole numbers are integers unless one of them has a fraction.
/// </summary>
internal static class RowsJson
{
    /// <exception cref="InvalidRequestException">
    /// JSON_INVALID: not JSON, or not of this form. ROWS_INVALID: more columns or values than a request may have.
    /// </exception>
    public static RowsJsonRequest Read(ReadOnlySpan<byte> body)
    {
        try
        {
            var reader = new Utf8JsonReader(body);
            return ReadRequest(ref reader);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The second is the reader's word for a string that is no text: a lone surrogate, a torn UTF-8 sequence.
            throw Invalid($"The body is not valid JSON: {e.Message}");
        }
    }

    private static RowsJsonRequest ReadRequest(ref Utf8JsonReader reader)
    {
        Table? rows = null;
        var includeFeatures = false;
        var maxAgeSeconds = 0L;
        ExplainOptions? explain = null;
        reader.Read();
        Expect(ref reader, JsonTokenType.StartObject, "the request must be an object");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueTextEquals("rows"u8))
            {
                if (rows is not null) throw Invalid("'rows' is given twice");
                rows = ReadRows(ref reader);
            }
            else if (reader.ValueTextEquals("include_features"u8))
            {
                reader.Read();
                if (reader.TokenType is not (JsonTokenType.True or JsonTokenType.False))
                {
                    throw Invalid("'include_features' must be true or false");
                }

                includeFeatures = reader.GetBoolean();
            }
            else if (reader.ValueTextEquals("max_age_seconds"u8))
            {
                reader.Read();
                if (reader.TokenType != JsonTokenType.Number || !reader.TryGetInt64(out maxAgeSeconds))
                {
                    throw Invalid("'max_age_seconds' must be a whole number");
                }
            }
            else if (reader.ValueTextEquals("explain"u8))
            {
                explain = ExplainJson.Read(ref reader);
            }
            else
            {
                throw Invalid(
                    $"'{reader.GetString()}' is not known; there are 'rows', 'include_features', 'max_age_seconds' and 'explain'");
            }
        }

        // Reads on, so that anything behind the object is an error.
        reader.Read();
        return new RowsJsonRequest(rows ?? throw Invalid("'rows' is missing"), includeFeatures, maxAgeSeconds, explain);
    }

    /// <summary>Reads the array of objects after the property the reader stands on.</summary>
    /// <exception cref="InvalidRequestException">JSON_INVALID, ROWS_INVALID.</exception>
    public static Table ReadRows(ref Utf8JsonReader reader)
    {
        var columns = new OrderedDictionary<string, ColumnDraft>(StringComparer.Ordinal);
        reader.Read();
        Expect(ref reader, JsonTokenType.StartArray, "'rows' must be an array");
        var row = 0;
        for (; reader.Read() && reader.TokenType != JsonTokenType.EndArray; row++)
        {
            if (reader.TokenType != JsonTokenType.StartObject) throw Invalid($"'rows[{row}]' must be an object");
            CheckCells(row + 1, columns.Count);
            for (var i = 0; reader.Read() && reader.TokenType == JsonTokenType.PropertyName; i++)
            {
                var column = Find(ref reader, columns, i, row);
                reader.Read();
                if (column.Count > row) throw Invalid($"'rows[{row}].{column.Name}' is given twice");
                column.PadTo(row);
                if (!column.TryAdd(ref reader)) throw Invalid($"'rows[{row}].{column.Name}' must be {column.Word}");
            }
        }

        var table = new Table();
        foreach (var column in columns.Values)
        {
            column.PadTo(row);
            table.Columns.Add(column.ToColumn());
        }

        return table;
    }

    // Rows mostly keep the order of the first.
    private static ColumnDraft Find(
        ref Utf8JsonReader reader, OrderedDictionary<string, ColumnDraft> columns, int hint, int row)
    {
        if (hint < columns.Count && columns.GetAt(hint).Value is var next && reader.ValueTextEquals(next.Name)) return next;
        // A property name is never null.
        var name = reader.GetString()!;
        if (columns.TryGetValue(name, out var known)) return known;
        if (columns.Count == PredictRows.MaxColumns) throw TooLarge($"must have at most {PredictRows.MaxColumns} columns");
        CheckCells(row + 1, columns.Count + 1);
        return columns[name] = new ColumnDraft(name);
    }

    // Every column is padded to every row, so a short body can ask for a large table.
    private static void CheckCells(int rows, int columns)
    {
        if ((long)rows * columns > PredictRows.MaxCells)
        {
            throw TooLarge($"must have at most {PredictRows.MaxCells} values, columns times rows");
        }
    }

    private static void Expect(ref Utf8JsonReader reader, JsonTokenType token, string rule)
    {
        if (reader.TokenType != token) throw Invalid(rule);
    }

    private static InvalidRequestException TooLarge(string rule) => new("ROWS_INVALID", [new FieldViolation("rows", rule)]);

    private static InvalidRequestException Invalid(string message) => new("JSON_INVALID", message);
}
