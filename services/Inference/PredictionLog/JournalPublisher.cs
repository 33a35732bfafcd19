using System.Buffers;
using System.IO.Compression;
using MassTransit;
using MlOps.Contracts.Events;

namespace MlOps.Inference.PredictionLog;

/// <summary>
/// Hands journal segments to the broker, oldest first, each until the broker has confirmed it; only then the file goes.
/// A segment sent twice carries the same batch id and the same records.
/// </summary>
internal sealed partial class JournalPublisher(Journal journal, IBus bus, TimeProvider time, ILogger<JournalPublisher> logger)
    : BackgroundService
{
    // A sixth of the time of CompressionLevel.Fastest (quality 1) for a sixth more bytes; the window is a segment's size.
    private const int FastestQuality = 0;
    private const int Window = 18;
    private static readonly TimeSpan PublishTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            journal.Prepare();
            await journal.WaitUntilDueAsync(stoppingToken);
            journal.Close();
            var pause = FirstPause;
            while (!await TryPublishAllAsync(stoppingToken))
            {
                await Task.Delay(pause, time, stoppingToken);
                pause = pause * 2 < LongestPause ? pause * 2 : LongestPause;
            }
        }
    }

    public override async Task StopAsync(CancellationToken cancellationToken)
    {
        await base.StopAsync(cancellationToken);
        journal.Close();
        // What the broker does not take now waits on disk for the next start.
        await TryPublishAllAsync(cancellationToken);
    }

    private async Task<bool> TryPublishAllAsync(CancellationToken ct)
    {
        while (true)
        {
            // Requests go on in a segment that is there already.
            journal.Prepare();
            if (journal.TakeOldest() is not { } segment) return true;
            if (segment.Bytes > JournalSegment.MaxBytes)
            {
                LogRefused(segment.Id, segment.Bytes, segment.Records, JournalSegment.MaxBytes);
                journal.SetAside(segment);
                continue;
            }

            var isPublished = false;
            try
            {
                await PublishAsync(segment, ct);
                isPublished = true;
            }
            catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException)
            {
                // Somebody deleted it; the ones behind must not wait for it.
                LogGone(segment.Id, segment.Records);
                journal.CountLost(segment);
                isPublished = true;
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                LogNotPublished(segment.Id, e.Message);
                return false;
            }
            finally
            {
                journal.Return(segment, isPublished);
            }
        }
    }

    private async Task PublishAsync(JournalSegment segment, CancellationToken ct)
    {
        // Of the sizes of segments, arrays of their own would keep the collector busy with the oldest generation.
        var records = ArrayPool<byte>.Shared.Rent((int)segment.Bytes);
        var compressed = ArrayPool<byte>.Shared.Rent(BrotliEncoder.GetMaxCompressedLength((int)segment.Bytes));
        var length = await ReadAsync(segment, records, ct);
        await PublishAsync(segment.Id, compressed.AsMemory(0, Compress(records.AsSpan(0, length), compressed)), ct);
        // Not after a failure: the bus may still read them.
        ArrayPool<byte>.Shared.Return(records);
        ArrayPool<byte>.Shared.Return(compressed);
    }

    private async Task PublishAsync(Guid batch, ReadOnlyMemory<byte> records, CancellationToken ct)
    {
        using var timeout = new CancellationTokenSource(PublishTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        await bus.Publish(new PredictionsLogged(batch, records, PredictionsLogged.Brotli), context =>
        {
            context.MessageId = batch;
            // Without this the broker confirms, and throws away, what no queue wants yet.
            if (context.TryGetPayload(out RabbitMqSendContext? rabbit)) rabbit.Mandatory = true;
        }, either.Token).WaitAsync(either.Token);
    }

    // Records repeat their model's names: of ten inputs half is left, for less time than the base64 of the message takes on the rest.
    private static int Compress(ReadOnlySpan<byte> records, Span<byte> compressed) =>
        BrotliEncoder.TryCompress(records, compressed, out var length, FastestQuality, Window)
            ? length
            : throw new InvalidOperationException("Brotli's own bound on its output is too low.");

    private static async Task<int> ReadAsync(JournalSegment segment, byte[] into, CancellationToken ct)
    {
        using var file = File.OpenHandle(segment.Path, options: FileOptions.Asynchronous);
        var length = 0;
        while (length < segment.Bytes && await RandomAccess.ReadAsync(file, into.AsMemory(length, (int)segment.Bytes - length), length, ct) is > 0 and var read)
        {
            length += read;
        }

        return length;
    }

    [LoggerMessage(
        Level = LogLevel.Error,
        Message = "Prediction log: batch {Batch} of {Bytes} bytes with {Records} records is set aside, larger than {MaxBytes} bytes")]
    private partial void LogRefused(Guid batch, long bytes, int records, int maxBytes);

    [LoggerMessage(Level = LogLevel.Error, Message = "Prediction log: the file of batch {Batch} with {Records} records is gone")]
    private partial void LogGone(Guid batch, int records);

    [LoggerMessage(Level = LogLevel.Warning, Message = "Prediction log: batch {Batch} waits, the broker did not take it: {Reason}")]
    private partial void LogNotPublished(Guid batch, string reason);
}
