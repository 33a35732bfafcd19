namespace MlOps.Inference.Predictions;

/// <summary>Flags as one text, for a header or a parameter of an answer.</summary>
internal static class FlagsHeader
{
    private const int MaxLength = 1_024;

    /// <summary>
    /// Like <c>range:distance,category:origin</c>; what of a name is no letter, digit or one of <c>-._~</c> is
    /// percent-encoded. What does not fit into a header is left out, and <c>...</c> ends it.
    /// </summary>
    public static string Of(IReadOnlyList<string> flags)
    {
        var text = string.Join(',', flags.Select(Encode));
        if (text.Length <= MaxLength) return text;
        var end = text.LastIndexOf(',', MaxLength);
        return (end < 0 ? "" : text[..(end + 1)]) + "...";
    }

    private static string Encode(string flag)
    {
        var colon = flag.IndexOf(':', StringComparison.Ordinal);
        return flag[..(colon + 1)] + Uri.EscapeDataString(flag[(colon + 1)..]);
    }
}
