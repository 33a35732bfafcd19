using System.Text;
using MlOps.Inference.BatchJobs.Inputs;
using MlOps.ServiceDefaults;

namespace MlOps.Inference.Tests.BatchJobs;

public sealed class InputIndexTests
{
    private static readonly string[] Pieces =
        ["a", "1.5", "\"x\"", "\"x,y\"", "\"li\nne\"", "\"q\"\"q\"", "", "\"\"", "b\"ad", "\"open", "\"x\"y", "ü"];

    [Fact]
    public void However_the_text_is_chunked_and_cut_the_partitions_hold_the_same_rows()
    {
        for (var seed = 0; seed < 300; seed++)
        {
            var random = new Random(seed);
            var text = new StringBuilder("h1,h2\n");
            for (var line = 0; line < random.Next(1, 60); line++)
            {
                text.Append(Pieces[random.Next(Pieces.Length)]).Append(',').Append(Pieces[random.Next(Pieces.Length)])
                    .Append(random.Next(3) switch { 0 => "\r\n", 1 => "\n\n", _ => "\n" });
            }

            var bytes = Encoding.UTF8.GetBytes(text.ToString());
            if (random.Next(2) == 0) bytes = [.. RecordScanner.ByteOrderMark, .. bytes];
            var whole = Records(bytes, Index(bytes, 1 << 30, bytes.Length).Partitions);
            var cut = Index(bytes, random.Next(1, 60), random.Next(1, 9));

            Assert.Equal(whole, Records(bytes, cut.Partitions));
            Assert.Equal(whole.Count, cut.Rows);
            Assert.Equal(cut.Rows, cut.Partitions.Sum(p => p.Rows));
            Assert.All(cut.Partitions, p => Assert.Equal(1 + bytes.AsSpan(0, (int)p.Offset).Count((byte)'\n'), p.FirstLine));
            var next = 1L;
            foreach (var partition in cut.Partitions)
            {
                Assert.Equal(next, partition.FirstRow);
                next += partition.Rows;
            }
        }
    }

    [Fact]
    public void A_record_longer_than_the_bound_is_cut_there_and_costs_no_other()
    {
        var text = $"h\n{new string('x', CsvRecords.Longest + 10)}\n\"{new string('y', CsvRecords.Longest)}\"\nlast\n";
        var bytes = Encoding.UTF8.GetBytes(text);

        var whole = Records(bytes, Index(bytes, 1 << 30, bytes.Length).Partitions);

        Assert.Equal("last", whole[^1]);
        Assert.Equal(whole, Records(bytes, Index(bytes, 1000, 77_777).Partitions));
    }

    [Theory]
    [InlineData("a,\"b,c\",d", "a|b,c|d")]
    [InlineData("a,,", "a||")]
    [InlineData("\"\",\"x\"\"y\"", "|x\"\"y")]
    [InlineData("", "")]
    public void Fields_are_what_stands_between_the_commas_outside_of_quotes(string record, string expected)
    {
        var utf8 = Encoding.UTF8.GetBytes(record);
        var fields = new List<string>();
        for (var at = 0; at <= utf8.Length;) fields.Add(Encoding.UTF8.GetString(CsvRecords.Field(utf8, ref at, out _)));
        Assert.Equal(expected, string.Join('|', fields));
    }

    [Fact]
    public void Json_lines_are_named_by_the_properties_of_the_first()
    {
        var index = new InputIndex(TextFormat.JsonLines, 10);
        index.Append("\n  \n{\"b\":{\"c\":[1]},\"a\":2}\n{\"z\":1}"u8);
        index.Complete();

        Assert.Equal(["b", "a"], index.Columns);
        Assert.Equal((2, 2), (index.Rows, index.Partitions.Count));
        Assert.Equal([3, 4], index.Partitions.Select(p => p.FirstLine));
        Assert.Throws<InvalidRequestException>(() => new InputIndex(TextFormat.JsonLines, 10).Append("[1]\n"u8));
    }

    private static InputIndex Index(byte[] text, int partitionBytes, int chunk)
    {
        var index = new InputIndex(TextFormat.Csv, partitionBytes);
        foreach (var part in text.Chunk(chunk)) index.Append(part);
        index.Complete();
        return index;
    }

    private static List<string> Records(byte[] text, IEnumerable<InputPartition> partitions)
    {
        var records = new List<string>();
        foreach (var partition in partitions)
        {
            var rest = text.AsSpan((int)partition.Offset, partition.Length);
            while (RecordScanner.Next(TextFormat.Csv, rest, isLast: true, out _, out _) is var length and > 0)
            {
                var content = RecordScanner.Content(rest[..length]);
                if (!RecordScanner.IsBlank(content)) records.Add(Encoding.UTF8.GetString(content));
                rest = rest[length..];
            }
        }

        return records;
    }
}
