using MlOps.Inference.BatchJobs.Inputs;

namespace MlOps.Inference.BatchJobs.Rows;

/// <summary>Reads a partition's text into chunks; rows that break a rule are told apart and left out.</summary>
internal sealed class RowReader(
    TextFormat format, ReadOnlyMemory<byte> text, InputPartition partition, RowPlan plan, Action<RowFault> refuse)
{
    private long _row = partition.FirstRow;
    private long _line = partition.FirstLine;
    private int _at;

    /// <summary>Fills the chunk with the next rows; false when none is left to be read.</summary>
    public bool TryFill(RowChunk chunk)
    {
        var all = text.Span;
        chunk.Begin();
        while (!chunk.IsFull)
        {
            var length = RecordScanner.Next(format, all[_at..], isLast: true, out var shape, out var broken);
            if (length == 0) break;
            var record = all.Slice(_at, length);
            var content = RecordScanner.Content(record);
            var place = new Range(_at, _at + content.Length);
            var line = _line;
            _at += length;
            _line += shape == CsvShape.Plain ? 1 : record.Count((byte)'\n');
            if (RecordScanner.IsBlank(content)) continue;
            var row = _row++;
            chunk.RowsRead++;
            var rule = broken ?? (format == TextFormat.Csv ? CsvRow.Read(content, shape, plan, chunk) : JsonRow.Read(content, plan, chunk));
            if (rule is null)
            {
                chunk.Accept(row, line, place);
                continue;
            }

            chunk.Refuse();
            refuse(RowFault.Of(row, line, rule, content));
        }

        chunk.End();
        return chunk.RowsRead > 0;
    }
}
