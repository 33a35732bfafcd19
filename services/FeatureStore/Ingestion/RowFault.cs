using System.Security.Cryptography;
using System.Text;

namespace MlOps.FeatureStore.Ingestion;

/// <summary>A refused row: where it stood, the field and rule it broke, and what it was.</summary>
internal sealed record RowFault(long Line, string Reason, string Content)
{
    public const int LongestContent = 1_000;

    /// <summary>Over the content as kept, so that the same bad row from the same place is kept once.</summary>
    public byte[] Digest => SHA256.HashData(Encoding.UTF8.GetBytes(Content));

    /// <summary>Cuts the content to <see cref="LongestContent"/> characters that the store can hold.</summary>
    public static RowFault At(long line, string reason, string content)
    {
        // PostgreSQL holds no NUL in text, and a cut surrogate pair is no text.
        var text = content.Replace('\0', '\uFFFD');
        if (text.Length > LongestContent)
            text = text[..(char.IsHighSurrogate(text[LongestContent - 1]) ? LongestContent - 1 : LongestContent)];
        return new(line, reason.Replace('\0', '\uFFFD'), text);
    }
}
