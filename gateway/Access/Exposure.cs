using System.Net;

namespace MlOps.Gateway.Access;

/// <summary>Whoever can reach an open gateway may do anything, so others than this machine must not reach it.</summary>
internal static class Exposure
{
    /// <exception cref="InvalidOperationException">The gateway would be open to others; the message says what to set.</exception>
    public static void Check(IConfiguration configuration)
    {
        var bind = configuration["MLOPS_BIND"];
        if (string.IsNullOrEmpty(bind) || (IPAddress.TryParse(bind, out var address) && IPAddress.IsLoopback(address))) return;
        if (configuration.GetValue("Access:Mode", AccessMode.Open) == AccessMode.Closed) return;

        throw new InvalidOperationException(
            $"MLOPS_BIND={bind} lets others reach the gateway, which asks nobody who they are. Set Access__Mode=Closed and "
            + "Access__AdminKey to a key to begin with (docs/access.md says how to make one), or set MLOPS_BIND=127.0.0.1.");
    }
}
