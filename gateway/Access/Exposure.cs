using System.Net;

namespace MlOps.Gateway.Access;

/// <summary>Whoever can reach an open gateway may do anything, so others than this machine must not reach it.</summary>
internal static partial class Exposure
{
    /// <exception cref="InvalidOperationException">The gateway would be open to others; the message says what to set.</exception>
    public static void Check(IConfiguration configuration)
    {
        if (!IsReachable(configuration, out var bind) || configuration.GetValue("Access:Mode", AccessMode.Open) == AccessMode.Closed) return;

        throw new InvalidOperationException(
            $"MLOPS_BIND={bind} lets others reach the gateway, which asks nobody who they are. Set Access__Mode=Closed and "
            + "Access__AdminKey to a key to begin with (docs/access.md says how to make one), or set MLOPS_BIND=127.0.0.1.");
    }

    /// <summary>Warns where keys come over a network in the clear, which is right only behind a proxy that ends TLS.</summary>
    public static void WarnOfPlainText(IConfiguration configuration, ILogger logger)
    {
        if (IsReachable(configuration, out var bind) && string.IsNullOrEmpty(configuration["Tls:Certificate"])) LogPlainText(logger, bind);
    }

    private static bool IsReachable(IConfiguration configuration, out string bind)
    {
        bind = configuration["MLOPS_BIND"] ?? "";
        return bind.Length > 0 && !(IPAddress.TryParse(bind, out var address) && IPAddress.IsLoopback(address));
    }

    [LoggerMessage(Level = LogLevel.Warning,
        Message = "MLOPS_BIND={Bind} without TLS: keys and data can be read on their way. Set MLOPS_TLS_CERT (Tls__Certificate), unless a proxy before the gateway ends TLS")]
    private static partial void LogPlainText(ILogger logger, string bind);
}
