using MlOps.Contracts.Inference.V1;
using RabbitMQ.Client;

namespace MlOps.Inference.Streams;

/// <summary>One connection to RabbitMQ for all streams of this replica, made again when it was lost.</summary>
internal sealed class StreamBroker(IConfiguration configuration) : IAsyncDisposable
{
    private readonly SemaphoreSlim _turn = new(1);
    private IConnection? _connection;

    /// <summary>A channel whose publications end when the broker has the message, and fail when no queue takes it.</summary>
    public async Task<IChannel> OpenAsync(CancellationToken ct)
    {
        await _turn.WaitAsync(ct);
        try
        {
            if (_connection is not { IsOpen: true })
            {
                if (_connection is not null) await _connection.DisposeAsync();
                _connection = null;
                _connection = await Factory().CreateConnectionAsync("MlOps.Inference streams", ct);
            }

            return await _connection.CreateChannelAsync(new CreateChannelOptions(true, true), ct);
        }
        finally
        {
            _turn.Release();
        }
    }

    /// <summary>Sees to it that the stream's queues are there.</summary>
    public async Task DeclareAsync(ModelStream stream, CancellationToken ct)
    {
        await using var channel = await OpenAsync(ct);
        await DeclareAsync(channel, stream, ct);
    }

    /// <inheritdoc cref="DeclareAsync(ModelStream, CancellationToken)"/>
    public static async Task DeclareAsync(IChannel channel, ModelStream stream, CancellationToken ct)
    {
        // One consumer at a time, the others standing by: what makes the order of a key the order of its answers.
        var single = new Dictionary<string, object?> { ["x-single-active-consumer"] = true };
        await channel.QueueDeclareAsync(stream.InputQueue, durable: true, exclusive: false, autoDelete: false, single, cancellationToken: ct);
        await channel.QueueDeclareAsync(stream.DeadLetterQueue, durable: true, exclusive: false, autoDelete: false, cancellationToken: ct);
        if (stream.AnswerQueue.Length == 0) return;
        await channel.QueueDeclareAsync(stream.AnswerQueue, durable: true, exclusive: false, autoDelete: false, cancellationToken: ct);
    }

    public async ValueTask DisposeAsync()
    {
        if (_connection is not null) await _connection.DisposeAsync();
        _turn.Dispose();
    }

    // A lost connection is made again by whoever needs one; consumers begin anew, so nothing is acknowledged on the wrong channel.
    private ConnectionFactory Factory() => new()
    {
        Uri = new Uri(configuration.GetConnectionString("rabbitmq")!), // The bus has seen to it.
        AutomaticRecoveryEnabled = false,
        ConsumerDispatchConcurrency = 1,
        RequestedHeartbeat = TimeSpan.FromSeconds(10),
    };
}
