using System.Diagnostics;
using MlOps.Benchmarks.Peers;
using RabbitMQ.Client;

namespace MlOps.Benchmarks.Serving;

/// <summary>
/// A RabbitMQ with one queue that takes the prediction log and keeps the last few messages of it, so that what publishing costs is
/// paid as it is in a platform: the one of MLOPS_TEST_RABBITMQ, as the tests have it, else one of the benchmark's own.
/// </summary>
internal sealed class Broker : IDisposable
{
    private readonly PeerProcess? _process;
    private readonly IConnection _connection;

    private Broker(PeerProcess? process, IConnection connection, string address, string prefix) =>
        (_process, _connection, Address, Prefix) = (process, connection, address, prefix);

    public string Address { get; }

    /// <summary>Bus:Prefix of the service.</summary>
    public string Prefix { get; }

    public static async Task<Broker> StartAsync(string folder, CancellationToken ct)
    {
        if (Environment.GetEnvironmentVariable("MLOPS_TEST_RABBITMQ") is { Length: > 0 } given) return await ConnectAsync(null, given, ct);
        var port = PeerProcess.FreePort();
        var password = Guid.NewGuid().ToString("N");
        var start = new ProcessStartInfo(
            Path.Combine(Repository.Root, "eng/servers/rabbitmq.sh"),
            [Path.Combine(folder, "rabbitmq"), $"{port}", $"{PeerProcess.FreePort()}", $"{PeerProcess.FreePort()}"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["MLOPS_RABBITMQ_PASSWORD"] = password;
        var process = await PeerProcess.StartAsync(start, port, ct);
        try
        {
            return await ConnectAsync(process, $"amqp://mlops:{password}@127.0.0.1:{port}/", ct);
        }
        catch
        {
            process.Dispose();
            throw;
        }
    }

    private static async Task<Broker> ConnectAsync(PeerProcess? process, string address, CancellationToken ct)
    {
        var prefix = $"bench-{Guid.NewGuid():N}-";
        // What MassTransit calls the event's exchange; the service declares it alike.
        var exchange = $"{prefix}MlOps.Contracts.Events:PredictionsLogged";
        var connection = await new ConnectionFactory { Uri = new Uri(address) }.CreateConnectionAsync(ct);
        var channel = await connection.CreateChannelAsync(cancellationToken: ct);
        await channel.ExchangeDeclareAsync(exchange, ExchangeType.Fanout, durable: true, cancellationToken: ct);
        var queue = await channel.QueueDeclareAsync(
            "", durable: false, exclusive: true, autoDelete: true,
            new Dictionary<string, object?> { ["x-max-length"] = 4, ["x-overflow"] = "drop-head" }, cancellationToken: ct);
        await channel.QueueBindAsync(queue.QueueName, exchange, "", cancellationToken: ct);
        return new Broker(process, connection, address, prefix);
    }

    public void Dispose()
    {
        _connection.Dispose();
        _process?.Dispose();
    }
}
