namespace MlOps.Inference.Protocol;

/// <summary>How the server names itself and its platform to clients.</summary>
internal static class ServerIdentity
{
    public const string Name = "mlops-inference";

    /// <summary>What is served beyond the protocol's core.</summary>
    public static string[] Extensions { get; } = [BinaryTail.Extension, "model_configuration", "model_repository", "statistics"];

    /// <summary>Which of the service's processes it is: host and process id.</summary>
    public static string Replica { get; } = $"{Environment.MachineName}-{Environment.ProcessId}";

    public static string Version { get; } = typeof(ServerIdentity).Assembly.GetName().Version?.ToString(3) ?? "0.0.0";
}
