using System.Text;
using System.Text.Unicode;

namespace MlOps.FeatureStore.Ingestion;

/// <summary>
/// Reads CSV (RFC 4180, UTF-8, LF or CRLF, optional byte order mark) from chunks that may break anywhere. A malformed line
/// never takes others with it: reading goes on at the next line break, even when a quote was left open.
/// </summary>
/// <remarks>Blank lines are skipped. One record may be at most <see cref="LongestRecord"/> bytes.</remarks>
internal sealed class CsvReader
{
    public const int LongestRecord = 1 << 20;

    private readonly List<Range> _fields = [];
    private readonly List<bool> _quoted = [];
    private byte[] _buffer = new byte[64 * 1024];
    private int _start;
    private int _end;
    private int _position;
    private int _fieldStart;
    private State _state;
    private string? _malformed;
    private bool _isComplete;
    private bool _isPastByteOrderMark;
    private long _nextLine = 1;
    private (int Start, int End) _record;

    private enum State { FieldStart, Plain, Quoted, QuoteInQuoted, ReturnAfterQuote }

    /// <summary>1-based line on which the record starts.</summary>
    public long Line { get; private set; }

    /// <summary>Why the record cannot be read as fields; null when it can.</summary>
    public string? Malformed { get; private set; }

    public int FieldCount => _fields.Count;

    /// <summary>The record as received, without its line break.</summary>
    public ReadOnlySpan<byte> Raw => _buffer.AsSpan(_record.Start, _record.End - _record.Start);

    /// <summary>Whether the field stood in quotes: an empty text then, where an empty field without quotes is missing.</summary>
    public bool IsQuoted(int field) => _quoted[field];

    /// <summary>The field's bytes between its quotes; a doubled quote in them is still doubled.</summary>
    public ReadOnlySpan<byte> Bytes(int field) => _buffer.AsSpan(_fields[field]);

    public string Text(int field)
    {
        var text = Encoding.UTF8.GetString(Bytes(field));
        return _quoted[field] ? text.Replace("\"\"", "\"", StringComparison.Ordinal) : text;
    }

    public void Append(ReadOnlySpan<byte> chunk)
    {
        if (_end + chunk.Length > _buffer.Length)
            MakeRoom(chunk.Length);
        chunk.CopyTo(_buffer.AsSpan(_end));
        _end += chunk.Length;
    }

    /// <summary>Says that no more chunks come, so that a last line without a line break is one.</summary>
    public void Complete() => _isComplete = true;

    /// <summary>The next record; false when more chunks are needed or all is read.</summary>
    public bool TryRead()
    {
        if (!TrySkipByteOrderMark())
            return false;
        while (TryScan())
        {
            var isBlank = _record.End == _record.Start;
            if (!isBlank)
                return true;
        }

        return false;
    }

    private bool TrySkipByteOrderMark()
    {
        if (_isPastByteOrderMark)
            return true;
        ReadOnlySpan<byte> mark = [0xEF, 0xBB, 0xBF];
        var beginning = _buffer.AsSpan(0, _end);
        if (beginning.Length < mark.Length && mark.StartsWith(beginning) && !_isComplete)
            return false;
        if (beginning.StartsWith(mark))
            _start = _position = _fieldStart = mark.Length;
        return _isPastByteOrderMark = true;
    }

    private bool TryScan()
    {
        if (_position == _start)
        {
            _fields.Clear();
            _quoted.Clear();
            _fieldStart = _start;
            _state = State.FieldStart;
            _malformed = null;
        }

        for (; _position < _end; _position++)
        {
            var isBreak = _buffer[_position] == (byte)'\n' && _state != State.Quoted;
            if (isBreak)
                return Finish(_position, _position + 1);
            if (_position - _start >= LongestRecord)
                return Abandon($"record is longer than {LongestRecord} bytes");
            Step(_buffer[_position]);
        }

        if (!_isComplete || _start == _end)
            return false;
        return _state == State.Quoted ? Abandon("a quote is never closed") : Finish(_end, _end);
    }

    private void Step(byte next)
    {
        switch (_state)
        {
            case State.FieldStart when next == '"':
                _state = State.Quoted;
                break;
            case State.Quoted:
                _state = next == '"' ? State.QuoteInQuoted : State.Quoted;
                break;
            case State.QuoteInQuoted when next == '"':
                _state = State.Quoted;
                break;
            case State.QuoteInQuoted when next == ',':
                EndField(_position - 1, isQuoted: true);
                break;
            case State.QuoteInQuoted when next == '\r':
                _state = State.ReturnAfterQuote;
                break;
            case State.QuoteInQuoted or State.ReturnAfterQuote:
                _malformed ??= "text after a closing quote";
                _state = State.Plain;
                break;
            case var _ when next == ',':
                EndField(_position, isQuoted: false);
                break;
            case State.Plain when next == '"':
                _malformed ??= "a quote inside a field that does not start with one";
                break;
            default:
                _state = State.Plain;
                break;
        }
    }

    private void EndField(int end, bool isQuoted)
    {
        _fields.Add(new(isQuoted ? _fieldStart + 1 : _fieldStart, end));
        _quoted.Add(isQuoted);
        _fieldStart = _position + 1;
        _state = State.FieldStart;
    }

    private bool Finish(int contentEnd, int next)
    {
        if (_malformed is not null)
            return Abandon(_malformed);
        var hasReturn = contentEnd > _fieldStart && _buffer[contentEnd - 1] == (byte)'\r';
        var end = hasReturn ? contentEnd - 1 : contentEnd;
        var isQuoted = _state is State.QuoteInQuoted or State.ReturnAfterQuote;
        if (end > _start)
            EndField(isQuoted ? end - 1 : end, isQuoted);
        var isUtf8 = Utf8.IsValid(_buffer.AsSpan(_start, end - _start));
        return Take(end, next, isUtf8 ? null : "not valid UTF-8");
    }

    // Gives up the first line only: what an open quote swallowed after it is read again as lines of its own.
    private bool Abandon(string reason)
    {
        var line = _buffer.AsSpan(_start, Math.Min(_position, _end) - _start);
        var length = line.IndexOf((byte)'\n');
        var next = length < 0 ? _start + line.Length : _start + length + 1;
        var end = length < 0 ? next : next - 1;
        if (length < 0 && next < _end && _buffer[next] == (byte)'\n')
            next++;
        if (end > _start && _buffer[end - 1] == (byte)'\r')
            end--;
        return Take(end, next, reason);
    }

    private bool Take(int end, int next, string? malformed)
    {
        _record = (_start, end);
        Malformed = malformed;
        Line = _nextLine;
        _nextLine += _buffer.AsSpan(_start, next - _start).Count((byte)'\n');
        _start = _position = next;
        return true;
    }

    private void MakeRoom(int length)
    {
        var kept = _end - _start;
        var target = kept + length <= _buffer.Length ? _buffer : new byte[Math.Max(_buffer.Length * 2, kept + length)];
        _buffer.AsSpan(_start, kept).CopyTo(target);
        for (var field = 0; field < _fields.Count; field++)
            _fields[field] = new(_fields[field].Start.Value - _start, _fields[field].End.Value - _start);
        _position -= _start;
        _fieldStart -= _start;
        (_buffer, _start, _end) = (target, 0, kept);
    }
}
