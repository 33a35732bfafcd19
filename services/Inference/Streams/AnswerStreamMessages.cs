using System.Text.Json;
using MlOps.Contracts.Inference.V1;
using Npgsql;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace MlOps.Inference.Streams;

/// <summary>
/// Answers some messages of a stream, in their order. When it returns, each has its answer out or lies among the dead letters,
/// and is known when it comes again; who dies before leaves nothing that the next does not do again.
/// </summary>
internal sealed class AnswerStreamMessages(
    StreamLedger ledger, ScoreStreamMessage score, StreamWebhook webhook, StreamTelemetry telemetry, TimeProvider time)
{
    private static readonly TimeSpan LongestPause = TimeSpan.FromSeconds(15);

    public async Task HandleAsync(ModelStream stream, IReadOnlyList<StreamMessage> messages, IChannel channel, CancellationToken ct)
    {
        // Of two with the same id in hand the second is the first that came again.
        StreamMessage[] named = [.. messages.Where(m => m.Failure is null).DistinctBy(m => m.Id)];
        string[] ids = [.. named.Select(m => m.Id)];
        var known = ids.Length == 0 ? [] : await UntilBackAsync(() => ledger.TakeAsync(stream.Model, ids, ct), ct);
        try
        {
            StreamMessage[] open = [.. named.Where(m => !known[m.Id].IsDone)];
            foreach (var message in open) Recall(stream, message, known[message.Id]);
            await ScoreAsync(stream, open, ct);
            StreamMessage[] outgoing = [.. messages.Where(m => m.Id.Length == 0).Concat(open)];
            await SendAsync(stream, outgoing, channel, ct);
            await EndAsync(stream, outgoing, ct);
            telemetry.Count(stream.Model, "duplicate", messages.Count - outgoing.Length);
            telemetry.Batches.Record(messages.Count, new KeyValuePair<string, object?>("model", stream.Model));
        }
        catch (Exception e) when (e is OperationCanceledException or RabbitMQClientException or IOException)
        {
            // The process stops or the broker is away: no message's fault.
            await ledger.GiveBackAsync(stream.Model, ids, CancellationToken.None);
            throw;
        }
    }

    private static void Recall(ModelStream stream, StreamMessage message, KnownMessage known)
    {
        message.Attempts = known.Attempts;
        message.Answer = known.Answer;
        if (known.Attempts > stream.MaxAttempts)
        {
            message.Refuse("ATTEMPTS_EXHAUSTED", $"It was given up after {stream.MaxAttempts} tries, none of which came to an end.");
        }
    }

    private async Task ScoreAsync(ModelStream stream, StreamMessage[] open, CancellationToken ct)
    {
        StreamMessage[] unanswered = [.. open.Where(m => m.Answer is null && m.Failure is null)];
        // Side by side, so that the model may take them in one run.
        await Task.WhenAll(unanswered.Select(m => score.HandleAsync(stream, m, ct)));
        StreamMessage[] answered = [.. unanswered.Where(m => m.Answer is not null)];
        if (answered.Length == 0) return;
        await UntilBackAsync(
            async () =>
            {
                await ledger.KeepAsync(stream.Model, [.. answered.Select(m => m.Id)], [.. answered.Select(m => m.Answer!)], ct);
                return true;
            },
            ct);
    }

    private async Task SendAsync(ModelStream stream, StreamMessage[] outgoing, IChannel channel, CancellationToken ct)
    {
        await webhook.SendAsync(stream, outgoing.Where(m => m.Failure is null), ct);
        // Written in this order; the broker confirms as it pleases.
        var confirmed = new List<Task>(outgoing.Length);
        foreach (var message in outgoing)
        {
            if (message.Failure is not null)
            {
                confirmed.Add(PublishAsync(channel, stream.DeadLetterQueue, message.ToDeadLetter(), message.Body, ct));
            }

            if (stream.AnswerQueue.Length == 0) continue;
            var answer = message.Answer ?? Refusal(stream, message);
            confirmed.Add(PublishAsync(channel, stream.AnswerQueue, message.ToAnswer(), answer, ct));
        }

        await Task.WhenAll(confirmed);
    }

    private async Task EndAsync(ModelStream stream, StreamMessage[] outgoing, CancellationToken ct)
    {
        string[] done = [.. outgoing.Where(m => m.Failure is null).Select(m => m.Id)];
        string[] dead = [.. outgoing.Where(m => m.Failure is not null).Select(m => m.Id)];
        await UntilBackAsync(
            async () =>
            {
                if (done.Length > 0) await ledger.EndAsync(stream.Model, done, ct);
                if (dead.Length > 0) await ledger.ForgetAsync(stream.Model, dead, ct);
                return true;
            },
            ct);
        telemetry.Count(stream.Model, "answered", done.Length);
        telemetry.Count(stream.Model, "dead", dead.Length);
    }

    // Mandatory: without the queue it must not be lost unnoticed.
    private static Task PublishAsync(IChannel channel, string queue, BasicProperties properties, ReadOnlyMemory<byte> body, CancellationToken ct) =>
        channel.BasicPublishAsync("", queue, mandatory: true, properties, body, ct).AsTask();

    // Who waits for the answer learns that there is none.
    private static byte[] Refusal(ModelStream stream, StreamMessage message) => JsonSerializer.SerializeToUtf8Bytes(new
    {
        model = stream.Model,
        code = message.Failure?.Code,
        detail = message.Failure?.Reason,
    });

    private async Task<T> UntilBackAsync<T>(Func<Task<T>> work, CancellationToken ct)
    {
        for (var pause = TimeSpan.FromMilliseconds(100); ; pause = pause * 2 > LongestPause ? LongestPause : pause * 2)
        {
            try
            {
                return await work();
            }
            catch (NpgsqlException e) when (e.IsTransient)
            {
                await Task.Delay(pause, time, ct);
            }
        }
    }
}
