using System.Collections.Concurrent;
using System.Text;
using System.Text.Json;
using MlOps.TestServers;
using RabbitMQ.Client;
using RabbitMQ.Client.Events;

namespace MlOps.Inference.Tests.Streams;

/// <summary>An answer, or a dead letter, as whoever takes it from the queue sees it.</summary>
internal sealed record StreamAnswer(string Id, string Correlation, string Text, IReadOnlyDictionary<string, string> Headers)
{
    public JsonElement Json => JsonDocument.Parse(Text).RootElement;
}

/// <summary>The other end of a stream's queues: any client of RabbitMQ.</summary>
internal sealed class StreamPeer : IAsyncDisposable
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(120);
    private readonly IConnection _connection;
    private readonly IChannel _channel;
    private readonly string _queue;

    private StreamPeer(IConnection connection, IChannel channel, string queue) =>
        (_connection, _channel, _queue) = (connection, channel, queue);

    public ConcurrentQueue<StreamAnswer> Answers { get; } = [];

    public ConcurrentQueue<StreamAnswer> Dead { get; } = [];

    /// <summary>Takes what comes out of the queues of a stream, which are there.</summary>
    public static async Task<StreamPeer> OpenAsync(string prefix, string model)
    {
        var connection = await new ConnectionFactory { Uri = new Uri(Servers.RabbitMq) }.CreateConnectionAsync();
        var channel = await connection.CreateChannelAsync(new CreateChannelOptions(true, true));
        var peer = new StreamPeer(connection, channel, $"{prefix}stream.{model}");
        await Eventually.Async(() => peer.IsThereAsync(), Deadline, "the stream's queues are there");
        await peer.TakeAsync($"{peer._queue}.answers", peer.Answers);
        await peer.TakeAsync($"{peer._queue}.dead", peer.Dead);
        return peer;
    }

    public async Task SendAsync(string? id, string body, string subject = "", string correlation = "")
    {
        var properties = new BasicProperties { DeliveryMode = DeliveryModes.Persistent };
        if (id is not null) properties.MessageId = id;
        if (correlation.Length > 0) properties.CorrelationId = correlation;
        if (subject.Length > 0) properties.Headers = new Dictionary<string, object?> { ["x-mlops-subject"] = subject };
        await _channel.BasicPublishAsync("", _queue, mandatory: true, properties, Encoding.UTF8.GetBytes(body));
    }

    public Task WaitForAsync(int ids) => Eventually.Async(
        () => Answers.Select(a => a.Id).Distinct().Count() >= ids, Deadline, $"{ids} messages are answered; {Answers.Count} answers are there");

    public async ValueTask DisposeAsync()
    {
        // The queues are the test's own.
        foreach (var queue in new[] { _queue, $"{_queue}.answers", $"{_queue}.dead" }) await _channel.QueueDeleteAsync(queue);
        await _channel.DisposeAsync();
        await _connection.DisposeAsync();
    }

    private async Task<bool> IsThereAsync()
    {
        await using var probe = await _connection.CreateChannelAsync();
        try
        {
            foreach (var queue in new[] { _queue, $"{_queue}.answers", $"{_queue}.dead" }) await probe.QueueDeclarePassiveAsync(queue);
            return true;
        }
        catch (RabbitMQ.Client.Exceptions.OperationInterruptedException)
        {
            return false;
        }
    }

    private async Task TakeAsync(string queue, ConcurrentQueue<StreamAnswer> into)
    {
        var consumer = new AsyncEventingBasicConsumer(_channel);
        consumer.ReceivedAsync += (_, delivery) =>
        {
            var properties = delivery.BasicProperties;
            into.Enqueue(new StreamAnswer(
                properties.MessageId ?? "", properties.CorrelationId ?? "", Encoding.UTF8.GetString(delivery.Body.Span),
                (properties.Headers ?? new Dictionary<string, object?>()).ToDictionary(
                    h => h.Key, h => h.Value is byte[] utf8 ? Encoding.UTF8.GetString(utf8) : $"{h.Value}")));
            return Task.CompletedTask;
        };
        await _channel.BasicConsumeAsync(queue, autoAck: true, consumer);
    }
}
