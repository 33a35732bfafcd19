using System.Text;

namespace MlOps.Inference.BatchJobs.Rows;

/// <summary>A row that cannot be scored: where it stood, why, and what it was.</summary>
/// <param name="Row">1-based number of the row in the input.</param>
/// <param name="Line">1-based line of the text.</param>
/// <param name="Reason">Column and rule.</param>
/// <param name="Content">The row as it came, cut.</param>
internal sealed record RowFault(long Row, long Line, string Reason, string Content)
{
    private const int LongestContent = 1_000;
    private const int LongestReason = 1_000;

    public static RowFault Of(long row, long line, string reason, ReadOnlySpan<byte> content)
    {
        // PostgreSQL holds no NUL; bytes that are no UTF-8, a cut character among them, become the replacement character.
        var text = Encoding.UTF8.GetString(content[..Math.Min(content.Length, LongestContent)]).Replace('\0', '\uFFFD');
        return new(row, line, Cut(reason.Replace('\0', '\uFFFD')), text);
    }

    private static string Cut(string reason) => reason.Length <= LongestReason ? reason : reason[..LongestReason];
}
