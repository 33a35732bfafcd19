using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace MlOps.AppHost;

/// <summary>Chooses loopback ports.</summary>
internal static class Ports
{
    // Below the range the kernel gives to outgoing connections: such a port is still free when its server is restarted.
    // The upper half of what lies below is left to the runner, which gives ports to the services.
    private const int First = 20_000;
    private const int Last = 26_000;
    private static readonly HashSet<int> Given = [];

    /// <summary>The port a variable names, or the usual one; 0 asks for any free one. Refuses what is no port, or taken.</summary>
    public static int FromEnvironment(string variable, int usual)
    {
        var text = Environment.GetEnvironmentVariable(variable);
        var port = usual;
        if (!string.IsNullOrEmpty(text)
            && (!int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) || port > ushort.MaxValue))
            Refusal.Because($"{variable}={text} is not a port.");
        if (port == 0)
            return NextFree();
        if (!IsFree(port))
            Refusal.Because($"Port {port} is in use; set {variable} to another one, or to 0 for any free one.");
        return port;
    }

    public static int NextFree()
    {
        while (true)
        {
            var port = RandomNumberGenerator.GetInt32(First, Last);
            if (IsFree(port) && Given.Add(port))
                return port;
        }
    }

    private static bool IsFree(int port)
    {
        using var listener = new TcpListener(IPAddress.Loopback, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
