using MlOps.Contracts.Tables.V1;
using MlOps.ServiceDefaults;

namespace MlOps.FeatureStore.Tables;

/// <summary>Reads tables as they come from the wire and refuses malformed ones.</summary>
internal static class WireTables
{
    /// <summary>Number of rows of a well-formed table.</summary>
    /// <exception cref="InvalidRequestException">TABLE_MALFORMED: columns of different lengths, without values or name,
    /// named twice, or a bitmap that is too short.</exception>
    public static int CountRows(this Table table)
    {
        var violations = new Violations();
        var names = new HashSet<string>(StringComparer.Ordinal);
        var rows = table.Columns.Count == 0 ? 0 : table.Columns[0].Length();
        foreach (var column in table.Columns)
        {
            if (column.Name.Length == 0 || !names.Add(column.Name))
                violations.Add($"columns.{column.Name}", "must have a name of its own");
            if (column.ValuesCase == Column.ValuesOneofCase.None)
                violations.Add($"columns.{column.Name}", "must have values of one type");
            else if (column.Length() != rows)
                violations.Add($"columns.{column.Name}", $"has {column.Length()} values where the first has {rows}");
            if (column.Missing.Length > 0 && column.Missing.Length < (rows + 7) / 8)
                violations.Add($"columns.{column.Name}.missing", $"must be empty or hold a bit for each of {rows} rows");
        }

        violations.ThrowIfAny("TABLE_MALFORMED");
        return rows;
    }

    public static int Length(this Column column) => column.ValuesCase switch
    {
        Column.ValuesOneofCase.Doubles => column.Doubles.Values.Count,
        Column.ValuesOneofCase.Integers => column.Integers.Values.Count,
        Column.ValuesOneofCase.Texts => column.Texts.Values.Count,
        Column.ValuesOneofCase.Booleans => column.Booleans.Values.Count,
        Column.ValuesOneofCase.Times => column.Times.Values.Count,
        _ => 0,
    };

    public static ColumnType Type(this Column column) => column.ValuesCase switch
    {
        Column.ValuesOneofCase.Doubles => ColumnType.Double,
        Column.ValuesOneofCase.Integers => ColumnType.Integer,
        Column.ValuesOneofCase.Texts => ColumnType.Text,
        Column.ValuesOneofCase.Booleans => ColumnType.Boolean,
        Column.ValuesOneofCase.Times => ColumnType.Time,
        _ => ColumnType.Unspecified,
    };

    /// <summary>The bitmap's bit; <see cref="CountRows"/> has proven that the bitmap is long enough.</summary>
    public static bool IsMissing(this Column column, int row) =>
        !column.Missing.IsEmpty && (column.Missing[row >> 3] >> (row & 7) & 1) != 0;

    public static Column? Find(this Table table, string name)
    {
        foreach (var column in table.Columns)
            if (column.Name == name)
                return column;
        return null;
    }

    /// <summary>The named column, which must have the type.</summary>
    /// <exception cref="InvalidRequestException">COLUMN_MISSING or COLUMN_TYPE, naming the column.</exception>
    public static Column Require(this Table table, string name, ColumnType type)
    {
        var column = table.Find(name)
            ?? throw new InvalidRequestException("COLUMN_MISSING", $"The table has no column '{name}'.");
        return column.Type() == type
            ? column
            : throw new InvalidRequestException("COLUMN_TYPE", $"Column '{name}' is {column.Type()} where {type} is wanted.");
    }
}
