using System.Globalization;
using System.Net;
using System.Reflection;
using System.Text.Json;

namespace MlOps.AppHost;

/// <summary>
/// One running platform: its state folder, which no second one can share, its addresses, and the file that tells them.
/// </summary>
internal sealed class Instance : IDisposable
{
    private const int AlreadyRunning = 3;

    private readonly FileStream _lock;

    private Instance(string folder, FileStream held)
    {
        Folder = folder;
        _lock = held;
        Secrets = new Secrets(Subfolder("secrets"));
        IsClosed = IsClosedIn(Bind);
        RestPort = Ports.FromEnvironment("MLOPS_REST_PORT", 8080);
        GrpcPort = Ports.FromEnvironment("MLOPS_GRPC_PORT", 8081);
        DashboardPort = Ports.FromEnvironment("MLOPS_DASHBOARD_PORT", 18888);
        ProbePort = Tls.IsWanted ? Ports.NextFree() : null;
    }

    public static string RepositoryRoot { get; } = typeof(Instance).Assembly
        .GetCustomAttributes<AssemblyMetadataAttribute>().First(entry => entry.Key == "RepositoryRoot").Value!;

    public string Folder { get; }

    public Secrets Secrets { get; }

    /// <summary>The address the gateway listens on; nothing else ever listens beyond loopback.</summary>
    public string Bind { get; } = BindFromEnvironment();

    /// <summary>Whether the gateway asks for keys: always where others reach it, else where <c>MLOPS_ACCESS</c> is <c>closed</c>.</summary>
    public bool IsClosed { get; }

    /// <summary>The certificate that the gateway shows.</summary>
    public Tls Tls { get; } = Tls.FromEnvironment();

    public int RestPort { get; }

    public int GrpcPort { get; }

    public int DashboardPort { get; }

    /// <summary>Where health is asked for without TLS; null: on the REST port, which speaks none.</summary>
    public int? ProbePort { get; }

    /// <summary>Settings of the orchestrator, as arguments, so that no service inherits them.</summary>
    public IEnumerable<string> Settings =>
    [
        $"--ASPNETCORE_URLS={Url(DashboardPort)}",
        $"--ASPIRE_DASHBOARD_OTLP_ENDPOINT_URL={Url(Ports.NextFree())}",
        "--ASPIRE_ALLOW_UNSECURED_TRANSPORT=true",
        "--ASPIRE_DASHBOARD_UNSECURED_ALLOW_ANONYMOUS=true",
        $"--MLOPS_STATE={Folder}",
    ];

    private static string BindFromEnvironment()
    {
        var bind = Environment.GetEnvironmentVariable("MLOPS_BIND");
        if (string.IsNullOrEmpty(bind))
            return "127.0.0.1";
        if (!IPAddress.TryParse(bind, out _))
            Refusal.Because($"MLOPS_BIND={bind} is no IP address; 0.0.0.0 stands for all of them.");
        return bind;
    }

    private static bool IsClosedIn(string bind)
    {
        var isReached = !IPAddress.IsLoopback(IPAddress.Parse(bind));
        switch (Environment.GetEnvironmentVariable("MLOPS_ACCESS"))
        {
            case null or "":
                return isReached;
            case "closed":
                return true;
            case "open" when isReached:
                Refusal.Because($"MLOPS_ACCESS=open: with MLOPS_BIND={bind} others reach the gateway; it is open on loopback only.");
                return false;
            case "open":
                return false;
            case var other:
                Refusal.Because($"MLOPS_ACCESS={other}: it is 'open' or 'closed'.");
                return false;
        }
    }

    private string EndpointsFile => Path.Combine(Folder, "endpoints.json");

    private string PidFile => Path.Combine(Folder, "apphost.pid");

    /// <summary>
    /// Takes the state folder (<c>MLOPS_STATE</c>) for this process; when another one has it, says which and exits with code 3.
    /// </summary>
    public static Instance Claim()
    {
        var folder = Path.GetFullPath(
            Environment.GetEnvironmentVariable("MLOPS_STATE") ?? Path.Combine(RepositoryRoot, ".mlops"));
        PrivateFolder(folder);
        try
        {
            var held = new FileStream(
                Path.Combine(folder, "apphost.lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            return new Instance(folder, held).Mark();
        }
        catch (IOException)
        {
            Refusal.Because($"The platform is running already in {folder}: {RunningIn(folder)}", AlreadyRunning);
            return null;
        }
    }

    public string Subfolder(params string[] path)
    {
        var folder = Path.Combine([Folder, .. path]);
        PrivateFolder(folder);
        return folder;
    }

    /// <summary>Tells people and programs where the platform is, once it is up.</summary>
    public async Task AnnounceAsync(CancellationToken ct)
    {
        var endpoints = new Endpoints(
            Url(RestPort, Tls.IsWanted), Url(GrpcPort, Tls.IsWanted), Url(DashboardPort), Url(ProbePort ?? RestPort),
            IsClosed ? "closed" : "open", Environment.ProcessId);
        var draft = EndpointsFile + ".new";
        await File.WriteAllTextAsync(draft, JsonSerializer.Serialize(endpoints, JsonSerializerOptions.Web), ct);
        File.Move(draft, EndpointsFile, overwrite: true);
        Console.WriteLine($"""

            The platform is up.
              REST       {endpoints.Rest}
              gRPC       {endpoints.Grpc}
              dashboard  {endpoints.Dashboard}
              access     {(IsClosed ? $"by key; the administrator's is in {Secrets.AdminKeyFile}" : "open to this machine")}

            """);
    }

    public void Dispose()
    {
        File.Delete(EndpointsFile);
        File.Delete(PidFile);
        _lock.Dispose();
    }

    private static void PrivateFolder(string folder)
    {
        if (OperatingSystem.IsWindows())
            Directory.CreateDirectory(folder);
        else
            Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    private static string Url(int port, bool isTls = false) => $"{(isTls ? "https" : "http")}://127.0.0.1:{port}";

    private static string RunningIn(string folder)
    {
        var pid = Path.Combine(folder, "apphost.pid");
        var endpoints = Path.Combine(folder, "endpoints.json");
        var process = File.Exists(pid) ? $"pid {File.ReadAllText(pid)}" : "pid unknown";
        return File.Exists(endpoints)
            && JsonSerializer.Deserialize<Endpoints>(File.ReadAllText(endpoints), JsonSerializerOptions.Web) is { } known
                ? $"{process}, REST {known.Rest}, gRPC {known.Grpc}, dashboard {known.Dashboard}"
                : $"{process}, not up yet";
    }

    // What a killed predecessor left behind is not true any more.
    private Instance Mark()
    {
        File.Delete(EndpointsFile);
        File.WriteAllText(PidFile, Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        return this;
    }

    private sealed record Endpoints(string Rest, string Grpc, string Dashboard, string Probe, string Access, int Pid);
}
