using System.Runtime.CompilerServices;
using System.Text.Json;

namespace MlOps.Gateway.Splits.Subjects;

/// <summary>A value of JSON that may be a subject: a text, a number, true or false.</summary>
internal struct JsonScalar
{
    // Six bytes of JSON, as in \u00fc, can stand for one character.
    private const int MaxEscaped = 6 * SubjectText.MaxLength;

    private JsonTokenType _token;
    private double _number;
    private long _signed;
    private ulong _unsigned;
    private bool _isSigned;
    private bool _isUnsigned;
    private int _length;
    private Characters _text;

    /// <summary>Takes the value the reader stands on; null, objects and arrays are none.</summary>
    /// <exception cref="InvalidOperationException">The text is none: a lone surrogate, a torn UTF-8 sequence.</exception>
    public void Read(ref Utf8JsonReader reader)
    {
        _token = reader.TokenType;
        if (_token == JsonTokenType.String)
        {
            var size = reader.HasValueSequence ? reader.ValueSequence.Length : reader.ValueSpan.Length;
            _length = size <= MaxEscaped ? reader.CopyString(_text) : 0;
        }
        else if (_token == JsonTokenType.Number)
        {
            _isSigned = reader.TryGetInt64(out _signed);
            _isUnsigned = reader.TryGetUInt64(out _unsigned);
            _ = reader.TryGetDouble(out _number);
        }
    }

    public readonly bool TryDouble(out double number)
    {
        number = _number;
        return _token == JsonTokenType.Number;
    }

    public readonly void SetText(ref SubjectText subject)
    {
        if (_token == JsonTokenType.String) subject.Set(_text[.._length]);
    }

    /// <summary>Some clients write booleans as 0 and 1.</summary>
    public readonly void SetBoolean(ref SubjectText subject)
    {
        if (_token is JsonTokenType.True or JsonTokenType.False) subject.Set(_token == JsonTokenType.True);
        else if (_token == JsonTokenType.Number) subject.Set(_number != 0);
    }

    public readonly void SetNumber(ref SubjectText subject)
    {
        if (_token != JsonTokenType.Number) return;
        if (_isSigned) subject.Set(_signed);
        else if (_isUnsigned) subject.Set(_unsigned);
        else subject.Set(_number);
    }

    /// <summary>Whatever it is.</summary>
    public readonly void Set(ref SubjectText subject)
    {
        if (_token is JsonTokenType.True or JsonTokenType.False) SetBoolean(ref subject);
        else if (_token == JsonTokenType.Number) SetNumber(ref subject);
        else SetText(ref subject);
    }

    [InlineArray(MaxEscaped)]
    private struct Characters
    {
        private char _first;
    }
}
