using System.Globalization;
using System.Text;
using MlOps.Contracts.Tables.V1;
using MlOps.FeatureStore.Definitions;
using MlOps.FeatureStore.Tables;
using MlOps.ServiceDefaults;

namespace MlOps.FeatureStore.Ingestion;

/// <summary>Turns wire tables into rows of a view.</summary>
internal sealed class TableRows(ViewDefinition view, RowBatch batch)
{
    private long _line;

    /// <summary>Adds the rows of a table one by one; yields null for an added row and the fault of a refused one.</summary>
    /// <exception cref="InvalidRequestException">TABLE_MALFORMED, or TABLE_COLUMNS naming every missing or mistyped column.</exception>
    public IEnumerable<RowFault?> Add(Table table)
    {
        var rows = table.CountRows();
        var violations = new Violations();
        ColumnBuffer[] keys = [.. view.JoinKeys.Select(key => Take(table, key, ColumnType.Text, violations))];
        var eventTimes = Take(table, view.Definition.EventTimeColumn, ColumnType.Time, violations);
        var knownAt = view.Definition.KnownAtColumn.Length > 0
            ? Take(table, view.Definition.KnownAtColumn, ColumnType.Time, violations) : eventTimes;
        ColumnBuffer[] values = [.. view.Columns.Select(field => Take(table, field.Name, field.Type, violations))];
        violations.ThrowIfAny("TABLE_COLUMNS");

        for (var row = 0; row < rows; row++)
        {
            _line++;
            for (var key = 0; key < keys.Length; key++)
                batch.Keys[key].AddFrom(keys[key], row);
            batch.EventTimes.AddFrom(eventTimes, row);
            batch.KnownAt.AddFrom(knownAt, row);
            for (var field = 0; field < values.Length; field++)
                batch.Values[field].AddFrom(values[field], row);
            if (RowRules.Check(view, batch) is not { } reason)
            {
                yield return null;
                continue;
            }

            batch.Truncate(batch.Count - 1);
            yield return RowFault.At(_line, reason, Content(table, row));
        }
    }

    private static ColumnBuffer Take(Table table, string name, ColumnType type, Violations violations)
    {
        var column = table.Find(name);
        if (column is null)
            violations.Add(name, "is missing from the table");
        else if (column.Type() != type && !(column.Type() == ColumnType.Integer && type == ColumnType.Double))
            violations.Add(name, $"is {column.Type()} where {type} is wanted");
        return column is null ? new(type) : ColumnBuffer.From(column);
    }

    private static string Content(Table table, int row)
    {
        var text = new StringBuilder();
        foreach (var column in table.Columns)
        {
            text.Append(text.Length == 0 ? "" : ", ").Append(column.Name).Append('=');
            if (!column.IsMissing(row))
                text.Append(column.ValuesCase switch
                {
                    Column.ValuesOneofCase.Doubles => column.Doubles.Values[row].ToString("R", CultureInfo.InvariantCulture),
                    Column.ValuesOneofCase.Integers => column.Integers.Values[row].ToString(CultureInfo.InvariantCulture),
                    Column.ValuesOneofCase.Texts => column.Texts.Values[row],
                    Column.ValuesOneofCase.Booleans => column.Booleans.Values[row] ? "true" : "false",
                    _ => column.Times.Values[row].ToString(CultureInfo.InvariantCulture) + " µs",
                });
        }

        return text.ToString();
    }
}
