using MlOps.Contracts.Tables.V1;

namespace MlOps.Flights;

/// <summary>Makes columns of the platform's tables, and reads them.</summary>
internal static class Columns
{
    public static Column Texts(string name, IEnumerable<string> values) =>
        new() { Name = name, Texts = new TextValues { Values = { values } } };

    public static Column Doubles(string name, IEnumerable<double> values) =>
        new() { Name = name, Doubles = new DoubleValues { Values = { values } } };

    public static Column Times(string name, IEnumerable<DateTimeOffset> values) =>
        new() { Name = name, Times = new TimeValues { Values = { values.Select(Micros) } } };

    public static Column Named(this Table table, string name) =>
        table.Columns.FirstOrDefault(c => c.Name == name)
        ?? throw new DemoException($"expected a column '{name}', got {string.Join(", ", table.Columns.Select(c => c.Name))}");

    public static bool IsMissing(this Column column, int row) =>
        column.Missing.Length > 0 && (column.Missing[row >> 3] >> (row & 7) & 1) == 1;

    /// <summary>The value as a number, NaN when missing; integers widen.</summary>
    public static double NumberAt(this Column column, int row) =>
        column.IsMissing(row) ? double.NaN
        : column.ValuesCase == Column.ValuesOneofCase.Integers ? column.Integers.Values[row]
        : column.Doubles.Values[row];

    public static long Micros(DateTimeOffset time) => (time - DateTimeOffset.UnixEpoch).Ticks / TimeSpan.TicksPerMicrosecond;

    public static DateTimeOffset Time(long micros) => DateTimeOffset.UnixEpoch.AddTicks(micros * TimeSpan.TicksPerMicrosecond);
}
