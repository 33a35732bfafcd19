namespace MlOps.Inference.BatchJobs.Inputs;

/// <summary>What a record of CSV looks like.</summary>
internal enum CsvShape
{
    /// <summary>No quotes: commas and nothing else end its fields.</summary>
    Plain,

    Quoted,

    Broken,
}

/// <summary>
/// Finds where records of CSV (RFC 4180) end. A broken one never takes others with it: it ends with its first line, even
/// when a quote was left open.
/// </summary>
internal static class CsvRecords
{
    /// <summary>Bytes a record may have.</summary>
    public const int Longest = 1 << 20;

    /// <summary>Bytes of the first record with its line break; 0: more are needed to tell, or there are none.</summary>
    /// <param name="text">From the record's first byte on.</param>
    /// <param name="isLast">No more bytes come.</param>
    /// <param name="shape">What it looks like.</param>
    /// <param name="broken">Why it is broken; null when it is not.</param>
    public static int Next(ReadOnlySpan<byte> text, bool isLast, out CsvShape shape, out string? broken)
    {
        (shape, broken) = (CsvShape.Plain, null);
        var at = text.IndexOfAny((byte)'\n', (byte)'"');
        if (at >= 0 && text[at] == (byte)'\n' && at < Longest) return at + 1;
        if (at < 0 || at >= Longest)
        {
            if (text.Length >= Longest) return Break(text, isLast, "is longer than 1 MiB", out shape, out broken);
            return isLast ? text.Length : 0;
        }

        var end = EndOfQuoted(text, isLast, out broken);
        if (end == 0 && text.Length < Longest && broken is null) return 0;
        if (broken is not null) return Break(text, isLast, broken, out shape, out broken);
        if (end is 0 or > Longest) return Break(text, isLast, "is longer than 1 MiB, or a quote is never closed", out shape, out broken);
        shape = CsvShape.Quoted;
        return end;
    }

    /// <summary>The next field of a quoted record that starts at <paramref name="at"/>, which moves behind its comma.</summary>
    public static ReadOnlySpan<byte> Field(ReadOnlySpan<byte> record, ref int at, out bool isQuoted)
    {
        isQuoted = at < record.Length && record[at] == (byte)'"';
        var start = at;
        if (!isQuoted)
        {
            var length = record[at..].IndexOf((byte)',');
            if (length < 0) length = record.Length - at;
            at += length + 1;
            return record.Slice(start, length);
        }

        var close = Close(record, at + 1);
        at = close + 2;
        return record[(start + 1)..close];
    }

    // 0 where it cannot be told yet.
    private static int EndOfQuoted(ReadOnlySpan<byte> text, bool isLast, out string? broken)
    {
        broken = null;
        var at = 0;
        while (at < text.Length)
        {
            if (text[at] == (byte)'"')
            {
                var close = Close(text, at + 1);
                if (close < 0 || (close == text.Length - 1 && !isLast))
                {
                    if (close < 0 && isLast) broken = "a quote is never closed";
                    return close >= 0 || !isLast ? 0 : text.Length;
                }

                at = close + 1;
                if (at == text.Length) return at;
                if (text[at] == (byte)'\r' && at + 1 == text.Length && !isLast) return 0;
                if (text[at] == (byte)'\r' && (at + 1 == text.Length || text[at + 1] == (byte)'\n')) at++;
                if (at == text.Length) return at;
                if (text[at] == (byte)'\n') return at + 1;
                if (text[at] != (byte)',') broken = "text after a closing quote";
                if (broken is not null) return 0;
                at++;
                continue;
            }

            var stop = text[at..].IndexOfAny((byte)',', (byte)'\n', (byte)'"');
            if (stop < 0) return isLast ? text.Length : 0;
            at += stop;
            if (text[at] == (byte)'\n') return at + 1;
            if (text[at] == (byte)'"') broken = "a quote inside a field that does not start with one";
            if (broken is not null) return 0;
            at++;
        }

        return isLast ? text.Length : 0;
    }

    // Where the quote that closes the field stands; −1: it does not.
    private static int Close(ReadOnlySpan<byte> text, int at)
    {
        while (true)
        {
            var quote = text[at..].IndexOf((byte)'"');
            if (quote < 0) return -1;
            at += quote;
            if (at + 1 == text.Length || text[at + 1] != (byte)'"') return at;
            at += 2;
        }
    }

    private static int Break(ReadOnlySpan<byte> text, bool isLast, string reason, out CsvShape shape, out string? broken)
    {
        (shape, broken) = (CsvShape.Broken, reason);
        var line = text[..Math.Min(text.Length, Longest)].IndexOf((byte)'\n');
        if (line >= 0) return line + 1;
        return isLast || text.Length >= Longest ? Math.Min(text.Length, Longest) : 0;
    }
}
