namespace MlOps.Inference.BatchJobs.Inputs;

/// <summary>
/// Where records of a text end, whatever its format: the index of an input and the readers of its partitions go by this
/// alone, so that they never disagree.
/// </summary>
internal static class RecordScanner
{
    public static ReadOnlySpan<byte> ByteOrderMark => [0xEF, 0xBB, 0xBF];

    /// <summary>Bytes of the next record with its line break; 0: more are needed, or there are none.</summary>
    public static int Next(TextFormat format, ReadOnlySpan<byte> text, bool isLast, out CsvShape shape, out string? broken)
    {
        if (format == TextFormat.Csv) return CsvRecords.Next(text, isLast, out shape, out broken);
        (shape, broken) = (CsvShape.Plain, null);
        var end = text[..Math.Min(text.Length, CsvRecords.Longest)].IndexOf((byte)'\n');
        if (end >= 0) return end + 1;
        if (text.Length < CsvRecords.Longest) return isLast ? text.Length : 0;
        (shape, broken) = (CsvShape.Broken, "is longer than 1 MiB");
        return CsvRecords.Longest;
    }

    /// <summary>A record without its line break.</summary>
    public static ReadOnlySpan<byte> Content(ReadOnlySpan<byte> record)
    {
        if (record.Length > 0 && record[^1] == (byte)'\n') record = record[..^1];
        if (record.Length > 0 && record[^1] == (byte)'\r') record = record[..^1];
        return record;
    }

    /// <summary>Blank lines are no rows.</summary>
    public static bool IsBlank(ReadOnlySpan<byte> content) => content.Trim(" \t"u8).IsEmpty;
}
