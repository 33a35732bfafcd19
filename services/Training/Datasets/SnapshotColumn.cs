using MlOps.Contracts.Tables.V1;

namespace MlOps.Training.Datasets;

/// <summary>One column of a snapshot over all its tables; exactly one of the arrays is filled.</summary>
internal sealed class SnapshotColumn(string name, ColumnType type, int rows)
{
    private int _filled;

    internal string Name { get; } = name;

    /// <summary>Doubles, integers and booleans (0, 1); NaN where missing.</summary>
    internal double[] Numbers { get; } = type is ColumnType.Text or ColumnType.Time ? [] : new double[rows];

    /// <summary>Null where missing.</summary>
    internal string?[] Texts { get; } = type is ColumnType.Text ? new string?[rows] : [];

    /// <summary>Microseconds since the epoch.</summary>
    internal long[] Times { get; } = type is ColumnType.Time ? new long[rows] : [];

    /// <summary>Rows without a value, counting NaN.</summary>
    internal int Missing { get; private set; }

    internal static ColumnType TypeOf(Column column) => column.ValuesCase switch
    {
        Column.ValuesOneofCase.Doubles => ColumnType.Double,
        Column.ValuesOneofCase.Integers => ColumnType.Integer,
        Column.ValuesOneofCase.Texts => ColumnType.Text,
        Column.ValuesOneofCase.Booleans => ColumnType.Boolean,
        Column.ValuesOneofCase.Times => ColumnType.Time,
        _ => ColumnType.Unspecified,
    };

    internal void Append(Column column, int count)
    {
        for (var row = 0; row < count; row++, _filled++)
        {
            var isMissing = IsMissing(column, row);
            switch (column.ValuesCase)
            {
                case Column.ValuesOneofCase.Doubles:
                    Set(isMissing ? double.NaN : column.Doubles.Values[row]);
                    break;
                case Column.ValuesOneofCase.Integers:
                    Set(isMissing ? double.NaN : column.Integers.Values[row]);
                    break;
                case Column.ValuesOneofCase.Booleans:
                    Set(isMissing ? double.NaN : column.Booleans.Values[row] ? 1 : 0);
                    break;
                case Column.ValuesOneofCase.Texts:
                    Texts[_filled] = isMissing ? null : column.Texts.Values[row];
                    if (isMissing) Missing++;
                    break;
                default:
                    Times[_filled] = column.Times.Values[row];
                    if (isMissing) Missing++;
                    break;
            }
        }

        void Set(double value)
        {
            Numbers[_filled] = value;
            if (double.IsNaN(value)) Missing++;
        }
    }

    private static bool IsMissing(Column column, int row) =>
        column.Missing.Length > row >> 3 && (column.Missing[row >> 3] >> (row & 7) & 1) != 0;
}
