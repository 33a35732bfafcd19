using System.IO.Compression;
using System.Security.Cryptography;
using MlOps.Contracts.Events;
using MlOps.Monitoring.PredictionLog;
using MlOps.ServiceDefaults;

namespace MlOps.Monitoring.Tests;

public class BatchEncodingTests
{
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(200_000)]
    public void Compressed_records_come_out_as_they_went_in_and_plain_ones_stay(int bytes)
    {
        var records = RandomNumberGenerator.GetBytes(bytes);

        Assert.Equal(records, BatchEncoding.Open(new PredictionsLogged(Guid.NewGuid(), Brotli(records), "br")).ToArray());
        Assert.Equal(records, BatchEncoding.Open(new PredictionsLogged(Guid.NewGuid(), records)).ToArray());
    }

    [Fact]
    public void What_is_torn_unknown_or_far_too_large_is_refused()
    {
        var whole = Brotli(RandomNumberGenerator.GetBytes(10_000));

        foreach (var (records, encoding) in ((byte[], string)[])
                 [(whole[..^100], "br"), ([0xFF, 0xFF, 0xFF, 0xFF], "br"), (whole, "gzip"), (Brotli(new byte[BatchEncoding.MaxBytes + 1]), "br")])
        {
            var refused = Assert.Throws<InvalidRequestException>(() => BatchEncoding.Open(new PredictionsLogged(Guid.NewGuid(), records, encoding)));
            Assert.Equal("BATCH_MALFORMED", refused.Code);
        }
    }

    private static byte[] Brotli(byte[] records)
    {
        using var compressed = new MemoryStream();
        using (var to = new BrotliStream(compressed, CompressionLevel.Fastest, leaveOpen: true)) to.Write(records);
        return compressed.ToArray();
    }
}
