namespace MlOps.AppHost;

/// <summary>The certificate of the gateway, from <c>MLOPS_TLS_CERT</c>, <c>MLOPS_TLS_KEY</c> and <c>MLOPS_TLS_PASSWORD</c>.</summary>
internal sealed record Tls(string Certificate, string Key, string Password)
{
    public const string ProbeEndpoint = "probe";

    public bool IsWanted => Certificate.Length > 0;

    public static Tls FromEnvironment() => new(
        FileIn("MLOPS_TLS_CERT"), FileIn("MLOPS_TLS_KEY"), Environment.GetEnvironmentVariable("MLOPS_TLS_PASSWORD") ?? "");

    private static string FileIn(string variable)
    {
        var file = Environment.GetEnvironmentVariable(variable);
        if (string.IsNullOrEmpty(file))
            return "";
        if (!File.Exists(file))
            Refusal.Because($"{variable}={file}: there is no such file.");
        return Path.GetFullPath(file);
    }
}
