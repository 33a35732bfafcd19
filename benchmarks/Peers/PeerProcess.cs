using System.Collections.Concurrent;
using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace MlOps.Benchmarks.Peers;

/// <summary>A peer in a process of its own, gone when the benchmark ends.</summary>
internal sealed class PeerProcess : IDisposable
{
    private const int MostErrorLines = 50;
    private readonly Process _process;

    private PeerProcess(Process process) => _process = process;

    public int Id => _process.Id;

    /// <summary>This program again, with other arguments.</summary>
    public static Task<PeerProcess> StartSelfAsync(int port, CancellationToken ct, params string[] arguments) =>
        StartAsync(new ProcessStartInfo("dotnet", [typeof(PeerProcess).Assembly.Location, .. arguments]), port, ct);

    /// <summary>Any program; ready when it listens on <paramref name="port"/>.</summary>
    public static async Task<PeerProcess> StartAsync(ProcessStartInfo start, int port, CancellationToken ct)
    {
        var process = Process.Start(start) ?? throw new BenchException($"{start.FileName} did not start.");
        var peer = new PeerProcess(process);
        // What nobody reads would fill the pipe and then stop the peer.
        if (start.RedirectStandardOutput) process.BeginOutputReadLine();
        var errors = new ConcurrentQueue<string>();
        process.ErrorDataReceived += (_, line) =>
        {
            if (line.Data is not null && errors.Count < MostErrorLines) errors.Enqueue(line.Data);
        };
        if (start.RedirectStandardError) process.BeginErrorReadLine();
        for (var tries = 0; tries < 600 && !process.HasExited; tries++)
        {
            using var socket = new TcpClient();
            try
            {
                await socket.ConnectAsync(IPAddress.Loopback, port, ct);
                return peer;
            }
            catch (SocketException)
            {
                await Task.Delay(100, ct);
            }
        }

        peer.Dispose();
        throw new BenchException($"{start.FileName} {string.Join(' ', start.ArgumentList)} does not listen on port {port}.\n{string.Join('\n', errors)}");
    }

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    public void Dispose()
    {
        if (!_process.HasExited) _process.Kill(entireProcessTree: true);
        _process.Dispose();
    }
}
