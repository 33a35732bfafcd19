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
    private static readonly TimeSpan PublishTimeout = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(5);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
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
        while (journal.TakeOldest() is { } segment)
        {
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

        return true;
    }

    private async Task PublishAsync(JournalSegment segment, CancellationToken ct)
    {
        var records = Compress(await File.ReadAllBytesAsync(segment.Path, ct));
        using var timeout = new CancellationTokenSource(PublishTimeout, time);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(ct, timeout.Token);
        await bus.Publish(new PredictionsLogged(segment.Id, records, PredictionsLogged.Brotli), context =>
        {
            context.MessageId = segment.Id;
            // Without this the broker confirms, and throws away, what no queue wants yet.
            if (context.TryGetPayload(out RabbitMqSendContext? rabbit)) rabbit.Mandatory = true;
        }, either.Token).WaitAsync(either.Token);
    }

    // Records repeat their model's names: a fifth is left, for less time than the base64 of the message takes on the rest.
    private static ReadOnlyMemory<byte> Compress(byte[] records)
    {
        using var compressed = new MemoryStream(records.Length / 4);
        using (var to = new BrotliStream(compressed, CompressionLevel.Fastest, leaveOpen: true)) to.Write(records);
        return compressed.GetBuffer().AsMemory(0, (int)compressed.Length);
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
