using System.Threading.Channels;
using MlOps.Contracts.Inference.V1;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace MlOps.Inference.Streams;

/// <summary>
/// Takes a stream's messages in the order of its queue and has them answered, as many together as have come, until it is
/// stopped. Messages are acknowledged when they are done: what was in hand when the broker or this process goes comes again.
/// </summary>
internal sealed partial class ConsumeStream(
    StreamBroker broker, AnswerStreamMessages answer, TimeProvider time, ILogger<ConsumeStream> logger)
{
    private static readonly TimeSpan ShortestPause = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(15);

    public async Task RunAsync(ModelStream stream, CancellationToken ct)
    {
        var pause = ShortestPause;
        while (!ct.IsCancellationRequested)
        {
            var began = time.GetTimestamp();
            try
            {
                await ConsumeAsync(stream, ct);
            }
            catch (Exception e) when (!ct.IsCancellationRequested)
            {
                LogBeginsAgain(stream.Model, e.GetType().Name, e.Message);
                pause = time.GetElapsedTime(began) > LongestPause ? ShortestPause : pause * 2 > LongestPause ? LongestPause : pause * 2;
                await Task.Delay(pause, time, ct).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (Exception e)
            {
                LogStopped(stream.Model, e.GetType().Name);
            }
        }
    }

    private async Task ConsumeAsync(ModelStream stream, CancellationToken ct)
    {
        await using var channel = await broker.OpenAsync(ct);
        await StreamBroker.DeclareAsync(channel, stream, ct);
        await channel.BasicQosAsync(0, (ushort)stream.Prefetch, global: false, ct);
        // Bounded by the broker, which hands out no more than the prefetch.
        var waiting = Channel.CreateUnbounded<StreamMessage>();
        var consumer = new AsyncEventingBasicConsumer(channel);
        consumer.ReceivedAsync += (_, delivery) =>
        {
            waiting.Writer.TryWrite(new StreamMessage(delivery));
            return Task.CompletedTask;
        };
        consumer.UnregisteredAsync += (_, _) => End("the queue is gone");
        channel.ChannelShutdownAsync += (_, reason) => End(reason.ReplyText);
        await channel.BasicConsumeAsync(stream.InputQueue, autoAck: false, consumer, ct);
        LogConsumes(stream.Model, stream.InputQueue);
        var batch = new List<StreamMessage>(stream.MaxBatch);
        while (await waiting.Reader.WaitToReadAsync(ct))
        {
            TakeBatch(waiting.Reader, stream.MaxBatch, batch);
            await answer.HandleAsync(stream, batch, channel, ct);
            await channel.BasicAckAsync(batch[^1].Tag, multiple: true, ct);
        }

        Task End(string why)
        {
            waiting.Writer.TryComplete(new IOException($"The broker ended the consumer: {why}"));
            return Task.CompletedTask;
        }
    }

    // One that comes again may be the one its worker died over, so it is tried alone: its neighbours are not blamed.
    private static void TakeBatch(ChannelReader<StreamMessage> waiting, int most, List<StreamMessage> batch)
    {
        batch.Clear();
        while (batch.Count < most && waiting.TryPeek(out var next) && (batch.Count == 0 || !next.IsRedelivered))
        {
            if (waiting.TryRead(out var message)) batch.Add(message);
            if (next.IsRedelivered) return;
        }
    }

    [LoggerMessage(Level = LogLevel.Information, Message = "The stream of {Model} is taken from {Queue}")]
    private partial void LogConsumes(string model, string queue);

    [LoggerMessage(Level = LogLevel.Warning, Message = "The stream of {Model} begins again: {Kind}: {Reason}")]
    private partial void LogBeginsAgain(string model, string kind, string reason);

    [LoggerMessage(Level = LogLevel.Information, Message = "The stream of {Model} stops here ({Reason})")]
    private partial void LogStopped(string model, string reason);
}
