using MlOps.Contracts.Inference.V1;
using Npgsql;

namespace MlOps.Inference.BatchJobs.Inputs;

/// <summary>Rows to score as they lie in the file store, with the partitions they are cut into.</summary>
internal sealed record StoredInput(
    string Digest, TextFormat Format, string[] Columns, long SizeBytes, long Rows, string File, IReadOnlyList<InputPartition> Partitions)
{
    public const string SqlColumns =
        "digest, format, columns, size_bytes, rows, file, offsets, lengths, first_rows, first_lines, row_counts";

    public static StoredInput Read(NpgsqlDataReader row)
    {
        var offsets = row.GetFieldValue<long[]>(6);
        var lengths = row.GetFieldValue<int[]>(7);
        var firstRows = row.GetFieldValue<long[]>(8);
        var firstLines = row.GetFieldValue<long[]>(9);
        var counts = row.GetFieldValue<int[]>(10);
        return new StoredInput(
            row.GetString(0), TextFormats.Named(row.GetString(1)), row.GetFieldValue<string[]>(2), row.GetInt64(3), row.GetInt64(4), row.GetString(5),
            [.. offsets.Select((offset, i) => new InputPartition(offset, lengths[i], firstRows[i], firstLines[i], counts[i]))]);
    }

    public BatchInput ToWire() => new()
    {
        Digest = Digest,
        Format = Format.ToWire(),
        SizeBytes = SizeBytes,
        Rows = Rows,
        Columns = { Columns },
    };
}
