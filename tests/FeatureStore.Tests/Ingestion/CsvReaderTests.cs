using System.Text;
using MlOps.FeatureStore.Ingestion;

namespace MlOps.FeatureStore.Tests.Ingestion;

public sealed class CsvReaderTests
{
    [Theory]
    [InlineData("a,b\nc,d\n", "1:a|b", "2:c|d")]
    [InlineData("a,b\nc,d", "1:a|b", "2:c|d")] // no last line break
    [InlineData("a,b\r\nc,d\r\n", "1:a|b", "2:c|d")]
    [InlineData("\uFEFFa,b\n", "1:a|b")]
    [InlineData("a,\n,b\n,\n", "1:a|", "2:|b", "3:|")]
    [InlineData("a\n\n\r\nb\n", "1:a", "4:b")] // blank lines are none
    [InlineData("\"a,b\",c\n", "1:a,b|c")]
    [InlineData("\"a\"\"b\",\"\"\r\n", "1:a\"b|")]
    [InlineData("\"a\nb\",c\nd,e\n", "1:a\nb|c", "3:d|e")]
    [InlineData("\"a\r\nb\"\r\nc\r\n", "1:a\r\nb", "3:c")]
    [InlineData("Zürich,東京,🛫\n", "1:Zürich|東京|🛫")]
    [InlineData("a\"b,c\nd,e\n", "1!a quote inside", "2:d|e")]
    [InlineData("\"a\"b,c\nd,e\n", "1!text after a closing quote", "2:d|e")]
    [InlineData("a,\"b\nc,d\ne,f\n", "1!a quote is never closed", "2:c|d", "3:e|f")]
    [InlineData("a,\"b\nc,\"d\ne,f\n", "1!text after a closing quote", "2!a quote is never closed", "3:e|f")]
    [InlineData("\"a\"\r,b\nc\n", "1!text after a closing quote", "2:c")]
    [InlineData("a,\"b", "1!a quote is never closed")]
    [InlineData("")]
    [InlineData("\n\n")]
    public void Text_is_read_the_same_however_it_is_cut(string csv, params string[] expected)
    {
        var bytes = Encoding.UTF8.GetBytes(csv);
        for (var chunk = 1; chunk <= bytes.Length + 1; chunk++)
            Assert.Equal(expected, Read(bytes, chunk), StartsLike);
    }

    [Fact]
    public void A_line_that_is_no_utf8_is_malformed_and_the_next_is_not()
    {
        byte[] bytes = [(byte)'a', 0xFF, (byte)'\n', (byte)'b', (byte)'\n'];
        Assert.Equal(["1!not valid UTF-8", "2:b"], Read(bytes, 2));
    }

    [Fact]
    public void A_record_that_never_ends_is_given_up_at_its_bound()
    {
        var csv = new CsvReader();
        csv.Append("a,\"b\n"u8);
        csv.Append(new byte[CsvReader.LongestRecord]);
        Assert.True(csv.TryRead());
        Assert.StartsWith("record is longer than", csv.Malformed, StringComparison.Ordinal);
        Assert.Equal("a,\"b", Encoding.UTF8.GetString(csv.Raw));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void What_is_written_is_read_back(int seed)
    {
        var random = new Random(seed);
        const string Alphabet = "a,\"\n\r é1";
        for (var trial = 0; trial < 200; trial++)
        {
            var rows = Enumerable.Range(0, 1 + random.Next(5)).Select(_ => Enumerable.Range(0, 3).Select(_ => string.Concat(
                Enumerable.Range(0, random.Next(6)).Select(_ => Alphabet[random.Next(Alphabet.Length)]))).ToArray()).ToArray();
            var text = string.Concat(rows.Select(row => string.Join(',', row.Select(
                field => '"' + field.Replace("\"", "\"\"", StringComparison.Ordinal) + '"')) + "\r\n"));
            var read = Read(Encoding.UTF8.GetBytes(text), 1 + random.Next(9)).Select(row => row[(row.IndexOf(':', StringComparison.Ordinal) + 1)..]);
            Assert.Equal(rows.Select(row => string.Join('|', row)), read);
        }
    }

    private static List<string> Read(byte[] bytes, int chunk)
    {
        var csv = new CsvReader();
        var records = new List<string>();
        foreach (var part in bytes.Chunk(chunk))
        {
            csv.Append(part);
            Drain();
        }

        csv.Complete();
        Drain();
        return records;

        void Drain()
        {
            while (csv.TryRead())
                records.Add(csv.Malformed is { } reason
                    ? $"{csv.Line}!{reason}"
                    : $"{csv.Line}:{string.Join('|', Enumerable.Range(0, csv.FieldCount).Select(csv.Text))}");
        }
    }

    private static bool StartsLike(string expected, string actual) => expected.Contains('!', StringComparison.Ordinal)
        ? actual.StartsWith(expected, StringComparison.Ordinal)
        : expected == actual;
}
