using System.Net.Sockets;
using System.Text;

namespace MlOps.Gateway.Tests;

/// <summary>An HTTP/1.1 connection byte by byte, for what no client would send.</summary>
internal sealed class RawHttp : IDisposable
{
    private readonly TcpClient _client = new();
    private readonly StringBuilder _received = new();

    public static async Task<RawHttp> ConnectAsync(Uri address)
    {
        var raw = new RawHttp();
        await raw._client.ConnectAsync(address.Host, address.Port);
        return raw;
    }

    public string Received => _received.ToString();

    public async Task SendAsync(string text) => await _client.GetStream().WriteAsync(Encoding.Latin1.GetBytes(text));

    /// <summary>Reads until the text has come; false: the connection ended before, or it took too long.</summary>
    public async Task<bool> ReadUntilAsync(string text)
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        try
        {
            while (!Received.Contains(text, StringComparison.Ordinal))
            {
                if (!await ReadAsync(deadline.Token)) return false;
            }

            return true;
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    /// <summary>Everything until the other side hangs up.</summary>
    public async Task<string> ReadToEndAsync()
    {
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        try
        {
            while (await ReadAsync(deadline.Token))
            {
            }
        }
        catch (Exception e) when (e is IOException or OperationCanceledException)
        {
            // Hung up without a word, or never.
        }

        return Received;
    }

    public void Dispose() => _client.Dispose();

    private async Task<bool> ReadAsync(CancellationToken ct)
    {
        var buffer = new byte[4096];
        var read = await _client.GetStream().ReadAsync(buffer, ct);
        _received.Append(Encoding.UTF8.GetString(buffer, 0, read));
        return read > 0;
    }
}
