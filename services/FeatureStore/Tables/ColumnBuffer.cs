using Google.Protobuf;
using MlOps.Contracts.Tables.V1;

namespace MlOps.FeatureStore.Tables;

/// <summary>A growing typed column with missing values: the one form of values between wire, store and join.</summary>
/// <remarks>Numbers, booleans and times are kept as 64 bits (doubles by their bits, times in microseconds).</remarks>
internal sealed class ColumnBuffer(ColumnType type)
{
    private long[] _bits = [];
    private bool[] _missing = [];
    private string[] _texts = [];

    public ColumnType Type => type;

    public int Count { get; private set; }

    public bool IsMissing(int row) => _missing[row];

    public long Bits(int row) => _bits[row];

    public double Double(int row) => BitConverter.Int64BitsToDouble(_bits[row]);

    public string Text(int row) => _texts[row];

    public void AddMissing() => Add(0, "", isMissing: true);

    public void AddBits(long bits) => Add(bits, "", isMissing: false);

    public void AddText(string text) => Add(0, text, isMissing: false);

    /// <summary>NaN becomes a missing value.</summary>
    public void AddDouble(double value) => Add(BitConverter.DoubleToInt64Bits(value), "", double.IsNaN(value));

    public void AddFrom(ColumnBuffer source, int row)
    {
        if (source._missing[row])
            AddMissing();
        else if (type == ColumnType.Text)
            AddText(source._texts[row]);
        else if (type == ColumnType.Double && source.Type == ColumnType.Integer)
            AddDouble(source._bits[row]);
        else
            AddBits(source._bits[row]);
    }

    /// <summary>Forgets the rows from <paramref name="count"/> on.</summary>
    public void Truncate(int count) => Count = Math.Min(Count, count);

    public static ColumnBuffer From(Column column)
    {
        var rows = column.Length();
        var buffer = new ColumnBuffer(column.Type());
        for (var row = 0; row < rows; row++)
        {
            if (column.IsMissing(row))
                buffer.AddMissing();
            else if (column.ValuesCase == Column.ValuesOneofCase.Doubles)
                buffer.AddDouble(column.Doubles.Values[row]);
            else if (column.ValuesCase == Column.ValuesOneofCase.Texts)
                buffer.AddText(column.Texts.Values[row]);
            else if (column.ValuesCase == Column.ValuesOneofCase.Booleans)
                buffer.AddBits(column.Booleans.Values[row] ? 1 : 0);
            else
                buffer.AddBits((column.ValuesCase == Column.ValuesOneofCase.Integers
                    ? column.Integers.Values : column.Times.Values)[row]);
        }

        return buffer;
    }

    /// <summary>
    /// The rows as a wire column in the one canonical form: no bitmap when nothing is missing, else one of ⌈rows / 8⌉
    /// bytes; a missing double is NaN, any other missing value its type's zero.
    /// </summary>
    public Column ToColumn(string name)
    {
        var column = new Column { Name = name, Missing = Bitmap() };
        switch (type)
        {
            case ColumnType.Double:
                column.Doubles = new() { Values = { Capacity = Count } };
                for (var row = 0; row < Count; row++)
                    column.Doubles.Values.Add(_missing[row] ? double.NaN : Double(row));
                break;
            case ColumnType.Text:
                column.Texts = new() { Values = { Capacity = Count } };
                for (var row = 0; row < Count; row++)
                    column.Texts.Values.Add(_texts[row]);
                break;
            case ColumnType.Boolean:
                column.Booleans = new() { Values = { Capacity = Count } };
                for (var row = 0; row < Count; row++)
                    column.Booleans.Values.Add(_bits[row] != 0);
                break;
            default:
                var values = type == ColumnType.Time
                    ? (column.Times = new TimeValues()).Values
                    : (column.Integers = new IntegerValues()).Values;
                values.AddRange(_bits.AsSpan(0, Count));
                break;
        }

        return column;
    }

    private void Add(long bits, string text, bool isMissing)
    {
        if (Count == _missing.Length)
            Grow();
        _missing[Count] = isMissing;
        if (type == ColumnType.Text)
            _texts[Count] = text;
        else
            _bits[Count] = bits;
        Count++;
    }

    private void Grow()
    {
        var capacity = Math.Max(16, Count * 2);
        Array.Resize(ref _missing, capacity);
        if (type == ColumnType.Text)
            Array.Resize(ref _texts, capacity);
        else
            Array.Resize(ref _bits, capacity);
    }

    private ByteString Bitmap()
    {
        if (!_missing.AsSpan(0, Count).Contains(true))
            return ByteString.Empty;
        var bitmap = new byte[(Count + 7) / 8];
        for (var row = 0; row < Count; row++)
            if (_missing[row])
                bitmap[row >> 3] |= (byte)(1 << (row & 7));
        return UnsafeByteOperations.UnsafeWrap(bitmap);
    }
}
