using System.Globalization;
using System.Text;
using MlOps.Contracts.Tables.V1;
using MlOps.FeatureStore.Definitions;
using MlOps.FeatureStore.Tables;

namespace MlOps.FeatureStore.Ingestion;

/// <summary>What a row must be to be stored; a row that is not is quarantined with the field and the rule.</summary>
internal static class RowRules
{
    public const int LongestKeyBytes = 1_500;

    /// <summary>Checks the last row of the batch; null when it may be stored.</summary>
    public static string? Check(ViewDefinition view, RowBatch batch)
    {
        var row = batch.Count - 1;
        var keyBytes = 0;
        for (var key = 0; key < batch.Keys.Length; key++)
        {
            if (batch.Keys[key].IsMissing(row) || batch.Keys[key].Text(row).Length == 0)
                return $"{view.JoinKeys[key]}: key is empty";
            if (HoldsNul(batch.Keys[key].Text(row)))
                return $"{view.JoinKeys[key]}: text holds a NUL character";
            keyBytes += Encoding.UTF8.GetByteCount(batch.Keys[key].Text(row));
            if (keyBytes > LongestKeyBytes)
                return $"{view.JoinKeys[key]}: keys are longer than {LongestKeyBytes} bytes";
        }

        if (CheckTime(batch.EventTimes, row) is { } eventRule)
            return $"{view.Definition.EventTimeColumn}: {eventRule}";
        // There the row ceases to count, which is a time to be stored, too.
        if (view.IsAggregated && !Micros.IsStorable(batch.EventTimes.Bits(row) + view.WindowMicros))
            return $"{view.Definition.EventTimeColumn}: the window after this time ends outside the years 1 to 9999";
        if (CheckTime(batch.KnownAt, row) is { } knownRule)
            return $"{view.Definition.KnownAtColumn}: {knownRule}";
        for (var field = 0; field < batch.Values.Length; field++)
            if (CheckValue(batch.Values[field], row) is { } rule)
                return $"{view.Columns[field].Name}: {rule}";
        return null;
    }

    /// <summary>Adds a CSV field to a column; the rule it breaks, or null. An empty field without quotes is missing.</summary>
    public static string? TryAdd(ColumnBuffer column, CsvReader csv, int field)
    {
        var bytes = csv.Bytes(field);
        if (bytes.IsEmpty && !(csv.IsQuoted(field) && column.Type == ColumnType.Text))
        {
            column.AddMissing();
            return null;
        }

        if (column.Type == ColumnType.Text)
        {
            column.AddText(csv.Text(field));
            return null;
        }

        var text = bytes.Trim((byte)' ');
        switch (column.Type)
        {
            case ColumnType.Double:
                if (!double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number))
                    return "is not a number";
                if (!double.IsFinite(number))
                    return "is not a finite number";
                column.AddDouble(number);
                return null;
            case ColumnType.Integer:
                if (!long.TryParse(text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer))
                    return "is not a whole number of 64 bits";
                column.AddBits(integer);
                return null;
            case ColumnType.Boolean:
                var isTrue = Ascii.EqualsIgnoreCase(text, "true"u8) || text.SequenceEqual("1"u8);
                if (!isTrue && !Ascii.EqualsIgnoreCase(text, "false"u8) && !text.SequenceEqual("0"u8))
                    return "is neither true nor false";
                column.AddBits(isTrue ? 1 : 0);
                return null;
            default:
                if (!IsoTime.TryParse(text, out var micros))
                    return "is not an ISO 8601 time";
                column.AddBits(micros);
                return null;
        }
    }

    private static string? CheckTime(ColumnBuffer times, int row) =>
        times.IsMissing(row) ? "time is missing"
        : Micros.IsStorable(times.Bits(row)) ? null
        : "time lies outside the years 1 to 9999";

    private static string? CheckValue(ColumnBuffer column, int row)
    {
        if (column.IsMissing(row))
            return null;
        return column.Type switch
        {
            ColumnType.Double when !double.IsFinite(column.Double(row)) => "is not a finite number",
            ColumnType.Time => CheckTime(column, row),
            ColumnType.Text when HoldsNul(column.Text(row)) => "text holds a NUL character",
            _ => null,
        };
    }

    private static bool HoldsNul(string text) => text.Contains('\0', StringComparison.Ordinal);
}
