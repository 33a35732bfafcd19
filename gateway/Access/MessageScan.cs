namespace MlOps.Gateway.Access;

/// <summary>
/// Reads the messages of a gRPC body as they pass, in chunks cut anywhere, and finds every model each of them names and its
/// end. Strict: what parsers could read in two ways is malformed. Of a field that comes more than once every value is
/// found, so nothing hides behind another.
/// </summary>
/// <param name="fields">Numbers of the fields that lead to the name: [1], or [2, 1] for field 1 of the message in field 2.</param>
internal sealed class MessageScan(int[] fields)
{
    private const int HeaderBytes = 5;

    /// <summary>No model has so long a name; what is longer is found cut off here.</summary>
    private const int MaxName = 256;

    private readonly byte[] _name = new byte[MaxName];
    // Where the message and those within it end, counted like the place itself from the message's first byte.
    private readonly long[] _ends = new long[fields.Length];
    private Part _part = Part.Header;
    private long _at;
    private long _stop;
    private int _depth;
    private int _nameLength;
    private int _headerBytes;
    private uint _size;
    private uint _tag;
    private ulong _varint;
    private int _varintBytes;

    internal enum Finding
    {
        /// <summary>The chunk is used up.</summary>
        NeedsMore,

        /// <summary>A model is named.</summary>
        Named,

        /// <summary>A piece of a compressed message.</summary>
        Compressed,

        /// <summary>A message is whole.</summary>
        Ended,

        /// <summary>A compressed message is whole.</summary>
        CompressedEnded,

        /// <summary>No protobuf message, or one that can be read in two ways.</summary>
        Malformed,
    }

    private enum Part
    {
        Header, Tag, Number, Length, Skip, Name, Compressed,
    }

    /// <summary>UTF-8 of the model named last.</summary>
    public ReadOnlySpan<byte> Name => _name.AsSpan(0, _nameLength);

    /// <summary>Makes it read one message without a header, as a decompressor gives it, to its end.</summary>
    public static MessageScan OfInflated(int[] fields) => new(fields) { _part = Part.Tag, _ends = { [0] = long.MaxValue } };

    /// <summary>Whether an inflated message may end here.</summary>
    public bool IsBetweenFields => _part == Part.Tag && _varintBytes == 0 && _depth == 0;

    /// <summary>Goes on to the next finding; the chunk keeps what comes after it. The piece is a compressed message's.</summary>
    public Finding Next(ref ReadOnlySpan<byte> chunk, out ReadOnlySpan<byte> piece)
    {
        piece = default;
        while (true)
        {
            if (_part == Part.Header)
            {
                if (chunk.IsEmpty) return Finding.NeedsMore;
                if (!TryReadHeader(ref chunk)) return Finding.Malformed;
                continue;
            }

            if (_at == _ends[0]) return End();
            if (chunk.IsEmpty) return Finding.NeedsMore;

            switch (_part)
            {
                case Part.Compressed:
                    piece = Take(ref chunk, _ends[0] - _at);
                    return Finding.Compressed;
                case Part.Skip:
                    Take(ref chunk, _stop - _at);
                    if (_at == _stop) Rise();
                    continue;
                case Part.Name:
                    var part = Take(ref chunk, _stop - _at);
                    part = part[..Math.Min(part.Length, MaxName - _nameLength)];
                    part.CopyTo(_name.AsSpan(_nameLength));
                    _nameLength += part.Length;
                    if (_at < _stop) continue;
                    Rise();
                    return Finding.Named;
                default:
                    if (!TryReadVarint(ref chunk, out var isRead)) return Finding.Malformed;
                    if (isRead && GoOn() is { } finding) return finding;
                    continue;
            }
        }
    }

    // Flag byte and length before each message, as in "00 00 00 00 6d".
    private bool TryReadHeader(ref ReadOnlySpan<byte> chunk)
    {
        for (; _headerBytes < HeaderBytes && !chunk.IsEmpty; chunk = chunk[1..])
        {
            if (_headerBytes++ == 0) _tag = chunk[0];
            else _size = _size << 8 | chunk[0];
        }

        if (_headerBytes < HeaderBytes) return true;
        _ends[0] = _size;
        _part = _tag == 1 ? Part.Compressed : Part.Tag;
        (_headerBytes, _size, _at, _depth) = (0, 0, 0, 0);
        return _tag <= 1;
    }

    private Finding End()
    {
        var finding = _part == Part.Compressed ? Finding.CompressedEnded
            : IsBetweenFields ? Finding.Ended
            : Finding.Malformed;
        _part = Part.Header;
        return finding;
    }

    // A varint has been read: a tag, a number's value, or a length. Null: nothing is found yet.
    private Finding? GoOn()
    {
        var value = _varint;
        (_varint, _varintBytes) = (0, 0);
        switch (_part)
        {
            case Part.Tag when value is > uint.MaxValue or < 8:
                return Finding.Malformed;
            case Part.Tag:
                _tag = (uint)value;
                switch (_tag & 7)
                {
                    case 0:
                        _part = Part.Number;
                        return null;
                    case 1:
                        return Skip(8);
                    case 2:
                        _part = Part.Length;
                        return null;
                    case 5:
                        return Skip(4);
                    default: // groups, which none of our messages has
                        return Finding.Malformed;
                }

            case Part.Number:
                Rise();
                return null;
            default:
                if (_tag != ((uint)fields[_depth] << 3 | 2)) return Skip(value);
                if (!TryStopAfter(value)) return Finding.Malformed;
                if (_depth + 1 < fields.Length)
                {
                    _ends[++_depth] = _stop;
                    Rise();
                    return null;
                }

                (_part, _nameLength) = (Part.Name, 0);
                if (value > 0) return null;
                Rise();
                return Finding.Named;
        }
    }

    private Finding? Skip(ulong count)
    {
        if (!TryStopAfter(count)) return Finding.Malformed;
        _part = Part.Skip;
        if (count == 0) Rise();
        return null;
    }

    private bool TryStopAfter(ulong count)
    {
        if (count > (ulong)(_ends[_depth] - _at)) return false;
        _stop = _at + (long)count;
        return true;
    }

    // A field is over, and with it perhaps the message it is the last of.
    private void Rise()
    {
        _part = Part.Tag;
        while (_depth > 0 && _at == _ends[_depth]) _depth--;
    }

    // Ten bytes at most, as in protobuf; a tag or length of more than five may be cut to another number by a parser.
    private bool TryReadVarint(ref ReadOnlySpan<byte> chunk, out bool isRead)
    {
        isRead = false;
        while (!isRead && !chunk.IsEmpty)
        {
            if (_at == _ends[_depth]) return _depth == 0 && _varintBytes == 0;
            var b = Take(ref chunk, 1)[0];
            _varint |= (ulong)(b & 0x7F) << (7 * _varintBytes++);
            if (_varintBytes > (_part == Part.Number ? 10 : 5)) return false;
            isRead = b < 0x80;
        }

        return true;
    }

    private ReadOnlySpan<byte> Take(ref ReadOnlySpan<byte> chunk, long count)
    {
        var taken = chunk[..(int)Math.Min(chunk.Length, count)];
        chunk = chunk[taken.Length..];
        _at += taken.Length;
        return taken;
    }
}
