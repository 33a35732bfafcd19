using System.Net.Sockets;

namespace MlOps.ServiceDefaults;

/// <summary>
/// Opens connections to a service that may be restarting: while it refuses, the request waits instead of failing, until
/// the service is back, the patience is over or the caller gives up.
/// </summary>
public static class PatientConnection
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(50);

    /// <summary>Makes every new connection of the handler wait up to <paramref name="patience"/>.</summary>
    public static SocketsHttpHandler ConnectPatiently(this SocketsHttpHandler handler, TimeSpan patience)
    {
        handler.ConnectTimeout = patience + TimeSpan.FromSeconds(2);
        handler.ConnectCallback = (context, ct) => OpenAsync(context, patience, ct);
        return handler;
    }

    private static async ValueTask<Stream> OpenAsync(
        SocketsHttpConnectionContext context, TimeSpan patience, CancellationToken ct)
    {
        var start = TimeProvider.System.GetTimestamp();
        while (true)
        {
            var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
            try
            {
                await socket.ConnectAsync(context.DnsEndPoint, ct);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException e) when (
                e.SocketErrorCode == SocketError.ConnectionRefused && TimeProvider.System.GetElapsedTime(start) < patience)
            {
                socket.Dispose();
                await Task.Delay(Pause, ct);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
    }
}
