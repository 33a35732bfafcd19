using System.Buffers.Binary;
using System.Text;
using Google.Protobuf;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Tables.V1;

namespace MlOps.FeatureStore.Online;

/// <summary>One column of an online answer, filled row by row straight into the message.</summary>
internal sealed class OnlineColumn
{
    private readonly Column _column;
    private readonly FeatureColumnStatus _statuses;
    private readonly ColumnType _type;
    private byte[]? _missing;

    public OnlineColumn(string name, ColumnType type, int rows)
    {
        _type = type;
        _column = new() { Name = name };
        _statuses = new() { Statuses = { Capacity = rows }, EventTimeMicros = { Capacity = rows } };
        switch (type)
        {
            case ColumnType.Double:
                _column.Doubles = new() { Values = { Capacity = rows } };
                break;
            case ColumnType.Integer:
                _column.Integers = new() { Values = { Capacity = rows } };
                break;
            case ColumnType.Text:
                _column.Texts = new() { Values = { Capacity = rows } };
                break;
            case ColumnType.Boolean:
                _column.Booleans = new() { Values = { Capacity = rows } };
                break;
            default:
                _column.Times = new() { Values = { Capacity = rows } };
                break;
        }

        Rows = rows;
    }

    private int Rows { get; }

    public void AddPresent(ReadOnlySpan<byte> value, long eventTime)
    {
        _statuses.Statuses.Add(FeatureStatus.Present);
        _statuses.EventTimeMicros.Add(eventTime);
        switch (_type)
        {
            case ColumnType.Double:
                _column.Doubles.Values.Add(BinaryPrimitives.ReadDoubleLittleEndian(value));
                break;
            case ColumnType.Integer:
                _column.Integers.Values.Add(BinaryPrimitives.ReadInt64LittleEndian(value));
                break;
            case ColumnType.Text:
                _column.Texts.Values.Add(Encoding.UTF8.GetString(value));
                break;
            case ColumnType.Boolean:
                _column.Booleans.Values.Add(value[0] != 0);
                break;
            default:
                _column.Times.Values.Add(BinaryPrimitives.ReadInt64LittleEndian(value));
                break;
        }
    }

    public void AddMissing(FeatureStatus status, long eventTime)
    {
        var row = _statuses.Statuses.Count;
        _missing ??= new byte[(Rows + 7) / 8];
        _missing[row >> 3] |= (byte)(1 << (row & 7));
        _statuses.Statuses.Add(status);
        _statuses.EventTimeMicros.Add(eventTime);
        switch (_type)
        {
            case ColumnType.Double:
                _column.Doubles.Values.Add(double.NaN);
                break;
            case ColumnType.Integer:
                _column.Integers.Values.Add(0);
                break;
            case ColumnType.Text:
                _column.Texts.Values.Add("");
                break;
            case ColumnType.Boolean:
                _column.Booleans.Values.Add(false);
                break;
            default:
                _column.Times.Values.Add(0);
                break;
        }
    }

    public void AddTo(GetOnlineFeaturesResponse response)
    {
        if (_missing is not null)
            _column.Missing = UnsafeByteOperations.UnsafeWrap(_missing);
        response.Features.Columns.Add(_column);
        response.Statuses.Add(_statuses);
    }
}
