namespace MlOps.FeatureStore.Tables;

/// <summary>Parses ISO 8601 times to microseconds; a time without zone is UTC, digits past the sixth are cut.</summary>
/// <remarks>Forms: <c>2001-01-31</c>, <c>2001-01-31T13:05</c>, <c>2001-01-31 13:05:09.123456Z</c>, <c>…+02:00</c>, <c>…+0200</c>.</remarks>
internal static class IsoTime
{
    public static bool TryParse(ReadOnlySpan<byte> text, out long micros)
    {
        micros = 0;
        if (!TryDigits(ref text, 4, out var year) || !TrySkip(ref text, '-') || !TryDigits(ref text, 2, out var month)
            || !TrySkip(ref text, '-') || !TryDigits(ref text, 2, out var day)
            || year < 1 || month is < 1 or > 12 || day < 1 || day > DateTime.DaysInMonth(year, month))
            return false;

        int hour = 0, minute = 0, second = 0;
        long fraction = 0, offsetMinutes = 0;
        if (!text.IsEmpty)
        {
            if (!(TrySkip(ref text, 'T') || TrySkip(ref text, 't') || TrySkip(ref text, ' '))
                || !TryDigits(ref text, 2, out hour) || !TrySkip(ref text, ':') || !TryDigits(ref text, 2, out minute))
                return false;
            if (TrySkip(ref text, ':') && !(TryDigits(ref text, 2, out second) && TryFraction(ref text, out fraction)))
                return false;
            if (hour > 23 || minute > 59 || second > 59 || !TryZone(text, out offsetMinutes))
                return false;
        }

        var ticks = new DateTime(year, month, day, hour, minute, second, DateTimeKind.Utc).Ticks;
        micros = (ticks - DateTime.UnixEpoch.Ticks) / TimeSpan.TicksPerMicrosecond + fraction
            - offsetMinutes * 60 * Micros.PerSecond;
        return Micros.IsStorable(micros);
    }

    private static bool TryFraction(ref ReadOnlySpan<byte> text, out long micros)
    {
        micros = 0;
        if (!TrySkip(ref text, '.') && !TrySkip(ref text, ','))
            return true;
        var digits = 0;
        for (; digits < text.Length && char.IsAsciiDigit((char)text[digits]); digits++)
            if (digits < 6)
                micros = micros * 10 + (text[digits] - '0');
        for (var place = digits; place < 6; place++)
            micros *= 10;
        text = text[digits..];
        return digits is > 0 and <= 12;
    }

    private static bool TryZone(ReadOnlySpan<byte> text, out long offsetMinutes)
    {
        offsetMinutes = 0;
        if (text.IsEmpty)
            return true;
        if (TrySkip(ref text, 'Z') || TrySkip(ref text, 'z'))
            return text.IsEmpty;
        var isEast = TrySkip(ref text, '+');
        if (!isEast && !TrySkip(ref text, '-') || !TryDigits(ref text, 2, out var hours))
            return false;
        var minutes = 0;
        if (!text.IsEmpty)
        {
            TrySkip(ref text, ':');
            if (!TryDigits(ref text, 2, out minutes))
                return false;
        }

        offsetMinutes = (isEast ? 1 : -1) * (hours * 60L + minutes);
        return text.IsEmpty && hours <= 18 && minutes <= 59;
    }

    private static bool TrySkip(ref ReadOnlySpan<byte> text, char expected)
    {
        if (text.IsEmpty || text[0] != expected)
            return false;
        text = text[1..];
        return true;
    }

    private static bool TryDigits(ref ReadOnlySpan<byte> text, int count, out int value)
    {
        value = 0;
        if (text.Length < count)
            return false;
        for (var place = 0; place < count; place++)
        {
            if (!char.IsAsciiDigit((char)text[place]))
                return false;
            value = value * 10 + (text[place] - '0');
        }

        text = text[count..];
        return true;
    }
}
