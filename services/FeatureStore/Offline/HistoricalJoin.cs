using MlOps.Contracts.Tables.V1;
using MlOps.FeatureStore.Definitions;
using MlOps.FeatureStore.Tables;
using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.FeatureStore.Offline;

/// <summary>Joins tables of one shape, one after the other.</summary>
internal sealed class HistoricalJoin(NpgsqlConnection connection, SelectionPlan plan, string timeColumn)
{
    private List<Field>? _shape;

    /// <summary>The table with a column per selected feature after its own.</summary>
    public async Task<(Table Table, int Rows)> JoinAsync(Table table, CancellationToken ct)
    {
        var rows = table.CountRows();
        CheckShape(table);
        var times = TimesOf(table, rows);
        var answer = new Table { Columns = { table.Columns } };
        if (rows == 0)
            return (Empty(answer), 0);

        var keys = new string?[plan.Selections.Count][];
        var joined = new ColumnBuffer[keys.Length][];
        foreach (var group in Enumerable.Range(0, keys.Length).GroupBy(index => plan.Selections[index].View))
        {
            // Selections of one view (origin, destination) share one read.
            var distinct = new Dictionary<string, string[]>(StringComparer.Ordinal);
            foreach (var selection in group)
                keys[selection] = KeysOf(table, rows, plan.Selections[selection], distinct);
            var features = group.SelectMany(selection => plan.Selections[selection].Features).Distinct().ToList();
            var history = await FeatureHistory.LoadAsync(
                connection, group.Key, features, distinct, times.Min(), times.Max(), ct);
            foreach (var selection in group)
                joined[selection] = Pick(plan.Selections[selection], keys[selection], times, history, features);
        }

        for (var selection = 0; selection < keys.Length; selection++)
            for (var feature = 0; feature < joined[selection].Length; feature++)
                answer.Columns.Add(joined[selection][feature].ToColumn(plan.Selections[selection].OutputNames[feature]));
        return (answer, rows);
    }

    private static ColumnBuffer[] Pick(
        SelectedView selection, string?[] keys, long[] times, FeatureHistory history, List<int> features)
    {
        ColumnBuffer[] picked = [.. selection.Features.Select(feature => new ColumnBuffer(selection.View.Features[feature].Type))];
        ColumnBuffer[] sources = [.. selection.Features.Select(feature => history.Values(features.IndexOf(feature)))];
        for (var row = 0; row < keys.Length; row++)
        {
            var found = keys[row] is { } key ? history.Find(key, times[row], selection.View.TtlMicros) : -1;
            for (var feature = 0; feature < picked.Length; feature++)
            {
                if (found < 0)
                    picked[feature].AddMissing();
                else
                    picked[feature].AddFrom(sources[feature], found);
            }
        }

        return picked;
    }

    private static string?[] KeysOf(Table table, int rows, SelectedView selection, Dictionary<string, string[]> distinct)
    {
        Column[] columns = [.. selection.KeyColumns.Select(name => table.Require(name, ColumnType.Text))];
        var keys = new string?[rows];
        var values = new string[columns.Length];
        for (var row = 0; row < rows; row++)
        {
            var isMissing = false;
            for (var key = 0; key < columns.Length; key++)
            {
                values[key] = columns[key].Texts.Values[row];
                // No row has such a key, and PostgreSQL could not be asked for one.
                isMissing |= columns[key].IsMissing(row) || values[key].Length == 0 || values[key].Contains('\0', StringComparison.Ordinal);
            }

            if (isMissing)
                continue;
            keys[row] = EntityKey.Encode(values);
            distinct.TryAdd(keys[row]!, [.. values]); // encoded in the line above
        }

        return keys;
    }

    private long[] TimesOf(Table table, int rows)
    {
        var column = table.Require(timeColumn, ColumnType.Time);
        var times = new long[rows];
        for (var row = 0; row < rows; row++)
        {
            times[row] = column.Times.Values[row];
            if (column.IsMissing(row) || !Micros.IsStorable(times[row]))
                throw new InvalidRequestException(
                    "TIME_MISSING", $"Row {row + 1} of a table has no time in '{timeColumn}', or one outside the years 1 to 9999.");
        }

        return times;
    }

    // Every check of columns happens here, for the first table; the others must look like it.
    private void CheckShape(Table table)
    {
        List<Field> shape = [.. table.Columns.Select(column => new Field { Name = column.Name, Type = column.Type() })];
        if (_shape is not null)
        {
            if (!_shape.SequenceEqual(shape))
                throw new InvalidRequestException("JOIN_STREAM", "All tables of a stream must have the same columns, in the same order.");
            return;
        }

        var violations = new Violations();
        Check(timeColumn, ColumnType.Time);
        foreach (var column in plan.Selections.SelectMany(selection => selection.KeyColumns).Distinct(StringComparer.Ordinal))
            Check(column, ColumnType.Text);
        foreach (var output in plan.Selections.SelectMany(selection => selection.OutputNames))
            if (table.Find(output) is not null)
                violations.Add(output, "is both a column of the entity rows and a selected feature: give a prefix");
        violations.ThrowIfAny("TABLE_COLUMNS");
        _shape = shape;

        void Check(string name, ColumnType type)
        {
            if (table.Find(name) is not { } column)
                violations.Add(name, "is missing from the entity rows");
            else if (column.Type() != type)
                violations.Add(name, $"is {column.Type()} where {type} is wanted");
        }
    }

    private Table Empty(Table answer)
    {
        foreach (var selection in plan.Selections)
            for (var feature = 0; feature < selection.Features.Length; feature++)
                answer.Columns.Add(new ColumnBuffer(selection.View.Features[selection.Features[feature]].Type)
                    .ToColumn(selection.OutputNames[feature]));
        return answer;
    }
}
