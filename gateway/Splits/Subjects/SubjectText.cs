using System.Buffers;
using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Runtime.CompilerServices;
using System.Text.Unicode;

namespace MlOps.Gateway.Splits.Subjects;

/// <summary>
/// A subject as text, the same whichever protocol and form carried it: text as it is, whole numbers in decimal however they
/// were written, other numbers in the shortest form that reads back as the same, <c>true</c> and <c>false</c>. No subject: an
/// empty text, one beyond <see cref="MaxLength"/>, what is no UTF-8, and numbers that are none.
/// </summary>
internal struct SubjectText
{
    /// <summary>Longest subject that is read from a body, in UTF-16 units.</summary>
    public const int MaxLength = 512;

    // 2 to the 63: whole numbers below fit a long.
    private const double Whole = 9_223_372_036_854_775_808;

    private Characters _characters;

    /// <summary>0: there is none.</summary>
    public int Length { get; private set; }

    [UnscopedRef]
    public readonly ReadOnlySpan<char> Value => _characters[..Length];

    public void Set(ReadOnlySpan<byte> utf8) =>
        Length = Utf8.ToUtf16(utf8, _characters, out _, out var written, replaceInvalidSequences: false) == OperationStatus.Done ? written : 0;

    public void Set(ReadOnlySpan<char> text) => Length = text.TryCopyTo(_characters) ? text.Length : 0;

    public void Set(bool value) => Set(value ? "true" : "false");

    public void Set(long value) => Format(value);

    public void Set(ulong value) => Format(value);

    public void Set(double value)
    {
        if (double.IsInteger(value) && Math.Abs(value) < Whole) Format((long)value);
        else if (double.IsFinite(value)) Format(value);
        else Length = 0;
    }

    /// <summary>Its own shortest form: 0.1 is 0.1 in either precision.</summary>
    public void Set(float value)
    {
        if (float.IsInteger(value) && Math.Abs(value) < Whole) Format((long)value);
        else if (float.IsFinite(value)) Format(value);
        else Length = 0;
    }

    private void Format<T>(T value) where T : ISpanFormattable =>
        Length = value.TryFormat(_characters, out var written, default, CultureInfo.InvariantCulture) ? written : 0;

    [InlineArray(MaxLength)]
    private struct Characters
    {
        private char _first;
    }
}
