using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace MlOps.Inference.Tests;

/// <summary>A wire between a service and a server that a test can cut and mend.</summary>
internal sealed class TcpRelay : IAsyncDisposable
{
    private readonly string _host;
    private readonly int _port;
    private readonly ConcurrentDictionary<TcpClient, bool> _ends = [];
    private TcpListener? _listener;

    public TcpRelay(int port, string host, int targetPort)
    {
        (Port, _host, _port) = (port, host, targetPort);
        Mend();
    }

    public int Port { get; }

    public void Mend()
    {
        _listener = new TcpListener(IPAddress.Loopback, Port);
        _listener.Start();
        _ = AcceptAsync(_listener);
    }

    public void Cut()
    {
        _listener?.Dispose();
        foreach (var end in _ends.Keys) end.Dispose();
        _ends.Clear();
    }

    public ValueTask DisposeAsync()
    {
        Cut();
        return ValueTask.CompletedTask;
    }

    private async Task AcceptAsync(TcpListener listener)
    {
        try
        {
            while (true) _ = ConnectAsync(await listener.AcceptTcpClientAsync());
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Cut.
        }
    }

    private async Task ConnectAsync(TcpClient near)
    {
        using var far = new TcpClient();
        _ends[near] = _ends[far] = true;
        try
        {
            await far.ConnectAsync(_host, _port);
            await Task.WhenAny(
                near.GetStream().CopyToAsync(far.GetStream()), far.GetStream().CopyToAsync(near.GetStream()));
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or InvalidOperationException)
        {
            // Cut.
        }
        finally
        {
            near.Dispose();
        }
    }
}
