using System.Buffers;
using System.IO.Compression;
using MlOps.Contracts.Events;
using MlOps.ServiceDefaults;

namespace MlOps.Monitoring.PredictionLog;

/// <summary>Gives the records of a batch as they were before they were compressed.</summary>
internal static class BatchEncoding
{
    /// <summary>Four times what Inference puts into a batch: a short message must not become any amount of memory.</summary>
    public const int MaxBytes = 44 << 20;

    /// <exception cref="InvalidRequestException">BATCH_MALFORMED: compressed otherwise, torn, or larger than a batch may be.</exception>
    public static ReadOnlyMemory<byte> Open(PredictionsLogged batch)
    {
        if (batch.Encoding.Length == 0) return batch.Records;
        if (batch.Encoding != PredictionsLogged.Brotli) throw Malformed($"Records may be compressed by br, not by '{batch.Encoding}'.");
        // Not BrotliStream, to which a torn body is just a shorter one.
        var decoder = new BrotliDecoder();
        using var records = new MemoryStream();
        var rest = batch.Records.Span;
        var chunk = new byte[64 << 10];
        try
        {
            while (true)
            {
                var status = decoder.Decompress(rest, chunk, out var read, out var written);
                if (records.Length + written > MaxBytes) throw Malformed($"The records are larger than {MaxBytes} bytes.");
                records.Write(chunk, 0, written);
                rest = rest[read..];
                if (status == OperationStatus.Done) return records.GetBuffer().AsMemory(0, (int)records.Length);
                if (status != OperationStatus.DestinationTooSmall) throw Malformed("The records cannot be decompressed.");
            }
        }
        finally
        {
            decoder.Dispose();
        }
    }

    private static InvalidRequestException Malformed(string message) => new("BATCH_MALFORMED", message);
}
