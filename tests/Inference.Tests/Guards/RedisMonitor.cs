using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;
using System.Text.RegularExpressions;
using MlOps.TestServers;
using StackExchange.Redis;

namespace MlOps.Inference.Tests.Guards;

/// <summary>Hears every command that reaches a logical database of Redis, in the words of MONITOR.</summary>
internal sealed partial class RedisMonitor(TcpClient connection, StreamReader lines, int database, Func<string, Task> mark) : IAsyncDisposable
{
    public static async Task<RedisMonitor> StartAsync<TTest>(RedisDatabase<TTest> redis)
    {
        var options = ConfigurationOptions.Parse(Servers.Redis);
        var connection = new TcpClient();
        await (options.EndPoints[0] switch
        {
            IPEndPoint at => connection.ConnectAsync(at),
            DnsEndPoint at => connection.ConnectAsync(at.Host, at.Port),
            var other => throw new NotSupportedException($"{other}"),
        });
        var lines = new StreamReader(connection.GetStream());
        if (options.Password is { Length: > 0 } password) await SayAsync($"AUTH {password}");
        await SayAsync("MONITOR");
        return new RedisMonitor(connection, lines, redis.Database.Database, word => redis.Database.ExecuteAsync("ECHO", word));

        async Task SayAsync(string command)
        {
            await connection.GetStream().WriteAsync(Encoding.ASCII.GetBytes($"{command}\r\n"));
            Assert.Equal("+OK", await lines.ReadLineAsync());
        }
    }

    /// <summary>Names of the commands until now that read or write keys, in order.</summary>
    public async Task<string[]> StopAsync()
    {
        var end = Guid.NewGuid().ToString("N");
        await mark(end);
        var commands = new List<string>();
        while (await lines.ReadLineAsync() is { } line && !line.Contains(end, StringComparison.Ordinal))
        {
            // +1700000000.123456 [3 127.0.0.1:40000] "MGET" "key" "key"
            var match = Line().Match(line);
            if (match.Success && int.Parse(match.Groups[1].Value, CultureInfo.InvariantCulture) == database) commands.Add(match.Groups[2].Value.ToUpperInvariant());
        }

        return [.. commands.Where(command => command is not ("PING" or "ECHO" or "INFO" or "CLIENT" or "CONFIG" or "SELECT"))];
    }

    public ValueTask DisposeAsync()
    {
        connection.Dispose();
        return ValueTask.CompletedTask;
    }

    [GeneratedRegex("""^\+[0-9.]+ \[(\d+) [^\]]*\] "([^"]*)" """)]
    private static partial Regex Line();
}
