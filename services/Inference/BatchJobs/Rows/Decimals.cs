using System.Globalization;

namespace MlOps.Inference.BatchJobs.Rows;

/// <summary>
/// Reads decimal numbers from UTF-8, rounded to nearest even as <see cref="float.Parse(string)"/> does, to the bit, several
/// times faster: a short decimal is one exact division (Clinger's fast path, 1990); all others take .NET's way.
/// </summary>
internal static class Decimals
{
    private const ulong ExactDouble = 1UL << 53;
    private const int MaxDigits = 19;

    // 10^22 is the largest power of ten a double holds exactly.
    private static readonly double[] Powers =
    [
        1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20,
        1e21, 1e22,
    ];

    public static bool TryDouble(ReadOnlySpan<byte> text, out double value) =>
        TryExact(text, out value)
        || double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);

    public static bool TryFloat(ReadOnlySpan<byte> text, out float value)
    {
        if (TryExact(text, out var rounded))
        {
            value = (float)rounded;
            // Rounding twice differs from rounding once only where the first landed in the middle of two floats, and the
            // middles of the smallest floats lie elsewhere.
            const long Below = (1L << 29) - 1, Middle = 1L << 28;
            var isMiddle = (BitConverter.DoubleToInt64Bits(rounded) & Below) == Middle;
            if (!isMiddle && (rounded == 0 || Math.Abs(value) >= 1.17549435E-38f)) return true;
        }

        return float.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out value);
    }

    // -12.5e3: sign, digits with at most one point, exponent. False where the quick way is not exact.
    private static bool TryExact(ReadOnlySpan<byte> text, out double value)
    {
        value = 0;
        var at = 0;
        var isNegative = text.Length > 0 && text[0] == (byte)'-';
        if (isNegative) at++;
        ulong digits = 0;
        var (count, scale, point) = (0, 0, -1);
        for (; at < text.Length; at++)
        {
            var digit = (uint)text[at] - '0';
            if (digit <= 9)
            {
                digits = (digits * 10) + digit;
                count++;
            }
            else if (text[at] == (byte)'.' && point < 0)
            {
                point = count;
            }
            else
            {
                break;
            }
        }

        if (count is 0 or > MaxDigits || digits > ExactDouble) return false;
        if (at < text.Length && !TryExponent(text[at..], out scale)) return false;
        if (point >= 0) scale -= count - point;
        if (scale is < -22 or > 22) return false;
        value = scale < 0 ? digits / Powers[-scale] : digits * Powers[scale];
        if (isNegative) value = -value;
        return true;
    }

    private static bool TryExponent(ReadOnlySpan<byte> text, out int exponent)
    {
        exponent = 0;
        if (text.Length < 2 || (text[0] | 0x20) != 'e') return false;
        var at = text[1] is (byte)'+' or (byte)'-' ? 2 : 1;
        if (text.Length - at is 0 or > 3) return false;
        for (var i = at; i < text.Length; i++)
        {
            var digit = (uint)text[i] - '0';
            if (digit > 9) return false;
            exponent = (exponent * 10) + (int)digit;
        }

        if (text[1] == (byte)'-') exponent = -exponent;
        return true;
    }
}
