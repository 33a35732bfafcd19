using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace MlOps.TestServers;

/// <summary>
/// A Redis or RabbitMQ of one test's own, with data that lasts, which it may kill and start again: the shared ones must live.
/// </summary>
public sealed class OwnServer : IAsyncDisposable
{
    private const string Password = "dev";
    private static readonly TimeSpan StartDeadline = TimeSpan.FromMinutes(3);
    private readonly string _script;
    private readonly string _passwordVariable;
    private readonly int[] _ports;
    private readonly string _folder = Directory.CreateTempSubdirectory("mlops-own-").FullName;
    private Process? _process;

    private OwnServer(string script, string passwordVariable, int ports) =>
        (_script, _passwordVariable, _ports) = (script, passwordVariable, [.. Enumerable.Range(0, ports).Select(_ => FreePorts.Take())]);

    /// <summary>As a connection string has it.</summary>
    public string Address => _script == "redis.sh"
        ? $"127.0.0.1:{_ports[0]},password={Password}"
        : $"amqp://mlops:{Password}@127.0.0.1:{_ports[0]}/";

    public static Task<OwnServer> StartRedisAsync() => StartAsync(new OwnServer("redis.sh", "MLOPS_REDIS_PASSWORD", ports: 1));

    public static Task<OwnServer> StartRabbitMqAsync() => StartAsync(new OwnServer("rabbitmq.sh", "MLOPS_RABBITMQ_PASSWORD", ports: 3));

    /// <summary>SIGKILL for all of it; returns when it is gone.</summary>
    public async Task KillAsync()
    {
        if (_process is null) return;
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    /// <summary>On the ports and the data it had; returns when it listens.</summary>
    public async Task StartAgainAsync()
    {
        var start = new ProcessStartInfo(
            Path.Combine(Repository.Root, "eng/servers", _script),
            [_folder, .. _ports.Select(port => port.ToString(CultureInfo.InvariantCulture))])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment[_passwordVariable] = Password;
        start.Environment["MLOPS_SERVERS_DURABLE"] = "1";
        _process = await ChildProcesses.StartAsync(start);
        // What nobody reads would fill the pipe and then stop the server.
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await Eventually.Async(ListensAsync, StartDeadline, $"{_script} listens");
    }

    public async ValueTask DisposeAsync()
    {
        await KillAsync();
        Directory.Delete(_folder, recursive: true);
    }

    private static async Task<OwnServer> StartAsync(OwnServer server)
    {
        try
        {
            await server.StartAgainAsync();
            return server;
        }
        catch
        {
            await server.DisposeAsync();
            throw;
        }
    }

    private async Task<bool> ListensAsync()
    {
        if (_process is not { HasExited: false }) throw new InvalidOperationException($"{_script} ended before it listened.");
        using var client = new TcpClient();
        try
        {
            await client.ConnectAsync(IPAddress.Loopback, _ports[0]);
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
