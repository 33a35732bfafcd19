using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MlOps.AppHost.Servers;

/// <summary>Healthy while a server greets as its protocol says: an open port alone may belong to one still starting.</summary>
internal sealed class ServerAnswers(string protocol, int port, string password) : IHealthCheck
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    public async Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken)
    {
        using var deadline = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        deadline.CancelAfter(Patience);
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, port, deadline.Token);
            var stream = client.GetStream();
            await stream.WriteAsync(Greeting, deadline.Token);
            var answer = new byte[512];
            var length = await stream.ReadAsync(answer, deadline.Token);
            return IsReady(answer.AsSpan(0, length))
                ? HealthCheckResult.Healthy()
                : HealthCheckResult.Unhealthy($"{protocol} answers, but is not ready");
        }
        catch (Exception failure) when (failure is SocketException or IOException)
        {
            return HealthCheckResult.Unhealthy(failure.Message);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return HealthCheckResult.Unhealthy($"{protocol} did not answer within {Patience.TotalSeconds} s");
        }
    }

    private byte[] Greeting => protocol switch
    {
        "postgres" => PostgresStartup(),
        "redis" => Encoding.ASCII.GetBytes($"AUTH {password}\r\nPING\r\n"),
        _ => [.. "AMQP"u8, 0, 0, 9, 1],
    };

    // PostgreSQL asks for authentication (R) once it takes connections and reports an error (E) before.
    // Redis says +OK to the password and -LOADING to the ping while it reads its file.
    // RabbitMQ opens with a method frame (1), Connection.Start.
    private bool IsReady(ReadOnlySpan<byte> answer) => protocol switch
    {
        "postgres" => answer.StartsWith("R"u8),
        "redis" => answer.StartsWith("+OK"u8) && answer.IndexOf("-LOADING"u8) < 0,
        _ => answer.StartsWith([(byte)1]),
    };

    // Length, protocol 3.0, then names and values, each ended by a zero.
    private static byte[] PostgresStartup()
    {
        byte[] message = [0, 0, 0, 0, 0, 3, 0, 0, .. "user\0mlops\0database\0postgres\0\0"u8];
        BinaryPrimitives.WriteInt32BigEndian(message, message.Length);
        return message;
    }
}
