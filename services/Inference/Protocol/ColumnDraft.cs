using System.Text.Json;
using Google.Protobuf;
using MlOps.Contracts.Tables.V1;

namespace MlOps.Inference.Protocol;

/// <summary>A column while its rows are read: it takes the kind of its first value and stays of it.</summary>
internal sealed class ColumnDraft(string name)
{
    private readonly List<string> _texts = [];
    private readonly List<double> _numbers = [];
    private readonly List<long> _integers = [];
    private readonly List<bool> _booleans = [];
    private readonly List<int> _missing = [];
    private JsonTokenType _kind = JsonTokenType.Null;
    private bool _hasFraction;

    public string Name => name;

    public int Count { get; private set; }

    /// <summary>What its values are, for people.</summary>
    public string Word => _kind switch
    {
        JsonTokenType.String => "text like the values before it",
        JsonTokenType.Number => "a number like the values before it",
        JsonTokenType.True => "true or false like the values before it",
        _ => "a text, a number, true, false or null",
    };

    /// <summary>Rows without the column have no value there.</summary>
    public void PadTo(int rows)
    {
        while (Count < rows) AddMissing();
    }

    public bool TryAdd(ref Utf8JsonReader reader)
    {
        var kind = reader.TokenType == JsonTokenType.False ? JsonTokenType.True : reader.TokenType;
        if (kind == JsonTokenType.Null)
        {
            AddMissing();
            return true;
        }

        if (kind is not (JsonTokenType.String or JsonTokenType.Number or JsonTokenType.True)) return false;
        if (_kind != JsonTokenType.Null && _kind != kind) return false;
        if (_kind == JsonTokenType.Null) Become(kind);
        Count++;
        switch (kind)
        {
            case JsonTokenType.String:
                return TryAddText(ref reader);
            case JsonTokenType.Number:
                _hasFraction |= !reader.TryGetInt64(out var integer);
                _integers.Add(integer);
                _numbers.Add(reader.GetDouble());
                return true;
            default:
                _booleans.Add(reader.GetBoolean());
                return true;
        }
    }

    public Column ToColumn()
    {
        var column = new Column { Name = name };
        switch (_kind)
        {
            case JsonTokenType.String:
                column.Texts = new TextValues { Values = { _texts } };
                break;
            case JsonTokenType.Number when !_hasFraction:
                column.Integers = new IntegerValues { Values = { _integers } };
                break;
            case JsonTokenType.True:
                column.Booleans = new BooleanValues { Values = { _booleans } };
                break;
            default:
                column.Doubles = new DoubleValues { Values = { _kind == JsonTokenType.Null ? Enumerable.Repeat(double.NaN, Count) : _numbers } };
                break;
        }

        if (_missing.Count == 0) return column;
        var bitmap = new byte[(Count + 7) / 8];
        foreach (var row in _missing) bitmap[row >> 3] |= (byte)(1 << (row & 7));
        column.Missing = UnsafeByteOperations.UnsafeWrap(bitmap);
        return column;
    }

    private bool TryAddText(ref Utf8JsonReader reader)
    {
        try
        {
            // A string token is never null.
            _texts.Add(reader.GetString()!);
            return true;
        }
        catch (InvalidOperationException)
        {
            // A lone surrogate escape is no text.
            return false;
        }
    }

    private void Become(JsonTokenType kind)
    {
        _kind = kind;
        for (var row = 0; row < Count; row++) AddPlaceholder();
    }

    private void AddMissing()
    {
        _missing.Add(Count++);
        AddPlaceholder();
    }

    private void AddPlaceholder()
    {
        switch (_kind)
        {
            case JsonTokenType.String: _texts.Add(""); break;
            case JsonTokenType.Number: _integers.Add(0); _numbers.Add(double.NaN); break;
            case JsonTokenType.True: _booleans.Add(false); break;
        }
    }
}
