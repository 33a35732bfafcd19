using System.Text.Json;
using MlOps.Contracts.Tables.V1;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Protocol;

/// <summary>
/// Reads rows of the V1 protocol and of MLflow into columns: objects by input name, arrays in the order of
/// <paramref name="names"/>, or the bare values of a single column.
/// </summary>
internal sealed class RowsReader(IReadOnlyList<string> names)
{
    private readonly List<ColumnDraft> _columns = [];
    private int _rows;

    /// <summary>Reads the array after the property the reader stands on.</summary>
    /// <exception cref="InvalidRequestException">JSON_INVALID.</exception>
    public Table ReadRows(ref Utf8JsonReader reader, string word)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartArray) throw Invalid($"'{word}' must be an array");
        for (; reader.Read() && reader.TokenType != JsonTokenType.EndArray; _rows++)
        {
            switch (reader.TokenType)
            {
                case JsonTokenType.StartObject:
                    while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
                    {
                        // A property name is never null.
                        var column = Find(reader.GetString()!);
                        reader.Read();
                        Add(ref reader, column, word);
                    }

                    break;
                case JsonTokenType.StartArray:
                    ReadArray(ref reader, word);
                    break;
                default:
                    if (names.Count != 1) throw Invalid($"'{word}[{_rows}]' must be an object or an array");
                    Add(ref reader, Find(names[0]), word);
                    break;
            }
        }

        return ToTable();
    }

    /// <summary>Reads the object of arrays after the property the reader stands on; each array is a column.</summary>
    /// <exception cref="InvalidRequestException">JSON_INVALID.</exception>
    public Table ReadColumns(ref Utf8JsonReader reader, string word)
    {
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var name = reader.GetString()!; // A property name is never null.
            if (_columns.Exists(c => c.Name == name)) throw Invalid($"'{word}.{name}' is given twice");
            var column = new ColumnDraft(name);
            _columns.Add(column);
            reader.Read();
            if (reader.TokenType != JsonTokenType.StartArray) throw Invalid($"'{word}.{name}' must be an array");
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray) ReadValue(ref reader, column, word);
            if (_columns[0].Count != column.Count) throw Invalid($"'{word}.{name}' must have as many values as '{_columns[0].Name}'");
            _rows = column.Count;
        }

        return ToTable();
    }

    // A row of a column may be a value or an array of one.
    private static void ReadValue(ref Utf8JsonReader reader, ColumnDraft column, string word)
    {
        var isNested = reader.TokenType == JsonTokenType.StartArray;
        if (isNested) reader.Read();
        var row = column.Count;
        if (!column.TryAdd(ref reader)) throw Invalid($"'{word}.{column.Name}[{row}]' must be {column.Word}");
        if (!isNested) return;
        reader.Read();
        if (reader.TokenType != JsonTokenType.EndArray) throw Invalid($"'{word}.{column.Name}[{row}]' must be one value");
    }

    private void ReadArray(ref Utf8JsonReader reader, string word)
    {
        var at = 0;
        for (; reader.Read() && reader.TokenType != JsonTokenType.EndArray; at++)
        {
            if (at == names.Count) break;
            Add(ref reader, Find(names[at]), word);
        }

        if (at != names.Count || reader.TokenType != JsonTokenType.EndArray)
        {
            throw Invalid($"'{word}[{_rows}]' must have {names.Count} values");
        }
    }

    private void Add(ref Utf8JsonReader reader, ColumnDraft column, string word)
    {
        if (column.Count > _rows) throw Invalid($"'{word}[{_rows}].{column.Name}' is given twice");
        column.PadTo(_rows);
        if (!column.TryAdd(ref reader)) throw Invalid($"'{word}[{_rows}].{column.Name}' must be {column.Word}");
    }

    private ColumnDraft Find(string name)
    {
        foreach (var column in _columns)
        {
            if (column.Name == name) return column;
        }

        var made = new ColumnDraft(name);
        _columns.Add(made);
        return made;
    }

    private Table ToTable()
    {
        var table = new Table();
        foreach (var column in _columns)
        {
            column.PadTo(_rows);
            table.Columns.Add(column.ToColumn());
        }

        return table;
    }

    private static InvalidRequestException Invalid(string message) => new("JSON_INVALID", message);
}
