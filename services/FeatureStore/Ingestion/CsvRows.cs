using System.Text;
using MlOps.FeatureStore.Definitions;
using MlOps.ServiceDefaults;

namespace MlOps.FeatureStore.Ingestion;

/// <summary>Turns CSV text into rows of a view: one header line, then one line per row.</summary>
internal sealed class CsvRows(ViewDefinition view, RowBatch batch)
{
    private readonly CsvReader _csv = new();
    private readonly int[] _keys = new int[view.JoinKeys.Count];
    private readonly int[] _values = new int[view.Columns.Count];
    private int _eventTime;
    private int _knownAt = -1;
    private int _width = -1;

    public void Append(ReadOnlySpan<byte> chunk) => _csv.Append(chunk);

    public void Complete() => _csv.Complete();

    /// <summary>Adds the next line to the batch, or says what is wrong with it; false when there is none yet.</summary>
    /// <exception cref="InvalidRequestException">CSV_HEADER: the header is malformed or a needed column is not in it.</exception>
    public bool TryNext(out RowFault? fault)
    {
        fault = null;
        if (_width < 0)
        {
            if (!_csv.TryRead())
                return false;
            ReadHeader();
        }

        if (!_csv.TryRead())
            return false;
        var row = batch.Count;
        if (ReadRow() is { } reason)
        {
            batch.Truncate(row);
            fault = RowFault.At(_csv.Line, reason, Encoding.UTF8.GetString(_csv.Raw));
        }

        return true;
    }

    /// <exception cref="InvalidRequestException">CSV_HEADER: there was no header line.</exception>
    public void RequireHeader()
    {
        if (_width < 0)
            throw new InvalidRequestException("CSV_HEADER", "The CSV text has no header line.");
    }

    private string? ReadRow()
    {
        if (_csv.Malformed is not null)
            return _csv.Malformed;
        if (_csv.FieldCount != _width)
            return $"line has {_csv.FieldCount} fields where the header has {_width}";
        for (var key = 0; key < _keys.Length; key++)
            RowRules.TryAdd(batch.Keys[key], _csv, _keys[key]);
        if (RowRules.TryAdd(batch.EventTimes, _csv, _eventTime) is { } eventRule)
            return $"{view.Definition.EventTimeColumn}: {eventRule}";
        if (_knownAt < 0)
            batch.KnownAt.AddFrom(batch.EventTimes, batch.EventTimes.Count - 1);
        else if (RowRules.TryAdd(batch.KnownAt, _csv, _knownAt) is { } knownRule)
            return $"{view.Definition.KnownAtColumn}: {knownRule}";
        for (var field = 0; field < _values.Length; field++)
            if (RowRules.TryAdd(batch.Values[field], _csv, _values[field]) is { } rule)
                return $"{view.Columns[field].Name}: {rule}";
        return RowRules.Check(view, batch);
    }

    private void ReadHeader()
    {
        if (_csv.Malformed is not null)
            throw new InvalidRequestException("CSV_HEADER", $"The header line is malformed: {_csv.Malformed}.");
        var violations = new Violations();
        for (var key = 0; key < _keys.Length; key++)
            _keys[key] = Find(view.JoinKeys[key], violations);
        _eventTime = Find(view.Definition.EventTimeColumn, violations);
        if (view.Definition.KnownAtColumn.Length > 0)
            _knownAt = Find(view.Definition.KnownAtColumn, violations);
        for (var field = 0; field < _values.Length; field++)
            _values[field] = Find(view.Columns[field].Name, violations);
        violations.ThrowIfAny("CSV_HEADER");
        _width = _csv.FieldCount;
    }

    private int Find(string name, Violations violations)
    {
        var found = -1;
        for (var field = 0; field < _csv.FieldCount; field++)
        {
            if (_csv.Text(field).Trim() != name)
                continue;
            if (found >= 0)
                violations.Add(name, "stands in the CSV header twice");
            found = field;
        }

        if (found < 0)
            violations.Add(name, "is missing from the CSV header");
        return found;
    }
}
