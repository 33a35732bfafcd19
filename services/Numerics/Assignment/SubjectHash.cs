namespace MlOps.Numerics.Assignment;

/// <summary>
/// Places a subject in [0, 1) in steps of 1/10,000, the same in every service and for ever: GrowthBook's hash, version
/// 2.
/// </summary>
public static class SubjectHash
{
    private const uint OffsetBasis = 2_166_136_261;
    private const uint Prime = 16_777_619;
    private const uint Steps = 10_000;

    /// <summary>
    /// fnv1a32(text(fnv1a32(seed + value))) mod 10,000 / 10,000, where text is the decimal form. FNV-1a (Fowler, Noll
    /// and Vo) takes whole UTF-16 code units, not bytes, as the JavaScript clients do. Allocates nothing.
    /// </summary>
    public static double Bucket(ReadOnlySpan<char> seed, ReadOnlySpan<char> value)
    {
        Span<char> digits = stackalloc char[10];
        Absorb(Absorb(OffsetBasis, seed), value).TryFormat(digits, out var written, default, null);
        return Absorb(OffsetBasis, digits[..written]) % Steps / (double)Steps;
    }

    /// <inheritdoc cref="Bucket(ReadOnlySpan{char}, ReadOnlySpan{char})"/>
    public static double Bucket(string seed, string value) => Bucket(seed.AsSpan(), value.AsSpan());

    private static uint Absorb(uint hash, ReadOnlySpan<char> text)
    {
        foreach (var unit in text)
            hash = unchecked((hash ^ unit) * Prime);
        return hash;
    }
}
