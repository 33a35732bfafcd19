using System.Diagnostics;
using System.Text;
using System.Text.Json;
using Grpc.Net.Client;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.EndToEnd.Tests;

/// <summary>
/// The whole platform as a user starts it: the AppHost with a state folder and ports of its own, and the flights demo run
/// once against it. Everything is stopped and removed at the end.
/// </summary>
public sealed class RunningPlatform : IAsyncLifetime
{
    private static readonly TimeSpan StartDeadline = TimeSpan.FromMinutes(3);
    private static readonly TimeSpan DemoDeadline = TimeSpan.FromMinutes(8);
    private readonly StringBuilder _log = new();
    private Process? _appHost;

    public string State { get; } = Directory.CreateTempSubdirectory("mlops-e2e-").FullName;

    public HttpClient Rest { get; private set; } = new();

    public HttpClient Dashboard { get; private set; } = new();

    public GrpcChannel Grpc { get; private set; } = GrpcChannel.ForAddress("http://127.0.0.1:1");

    public int DemoExitCode { get; private set; }

    public string DemoOutput { get; private set; } = "";

    public JsonElement Report { get; private set; }

    public async Task InitializeAsync()
    {
        // Skipped tests need no platform; where servers are required a failing start must show.
        if (!Servers.AreThere && !Servers.AreRequired) return;

        _appHost = Start("AppHost", [], Keep);
        var endpoints = await Eventually.GetAsync(ReadEndpointsAsync, StartDeadline, "the AppHost announces its addresses");
        Rest = new HttpClient { BaseAddress = endpoints.Rest, Timeout = TimeSpan.FromSeconds(30) };
        Dashboard = new HttpClient { BaseAddress = endpoints.Dashboard };
        // A client of servers that restart: while the gateway refuses connections it waits, as the platform does inside.
        Grpc = GrpcChannel.ForAddress(endpoints.Grpc, new GrpcChannelOptions
        {
            HttpHandler = new SocketsHttpHandler().ConnectPatiently(TimeSpan.FromSeconds(30)),
            DisposeHttpClient = true,
        });
        await Eventually.Async(IsHealthyAsync, StartDeadline, "the platform is healthy");
        await RunDemoAsync(endpoints);
    }

    /// <summary>True when the gateway says that every service is well.</summary>
    public async Task<bool> IsHealthyAsync()
    {
        try
        {
            using var answer = await Rest.GetAsync(new Uri("/health", UriKind.Relative));
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or TaskCanceledException)
        {
            return false;
        }
    }

    /// <summary>The process of a service of this platform, found by its program and its state folder.</summary>
    public Process ProcessOf(string service)
    {
        foreach (var folder in Directory.EnumerateDirectories("/proc").Where(d => int.TryParse(Path.GetFileName(d), out _)))
        {
            try
            {
                if (File.ReadAllText(Path.Combine(folder, "cmdline")).Contains($"MlOps.{service}", StringComparison.Ordinal)
                    && File.ReadAllText(Path.Combine(folder, "environ")).Contains(State, StringComparison.Ordinal))
                {
                    return Process.GetProcessById(int.Parse(Path.GetFileName(folder), System.Globalization.CultureInfo.InvariantCulture));
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException)
            {
                // It ended while we looked.
            }
        }

        throw new InvalidOperationException($"{service} does not run.\n{Log}");
    }

    /// <summary>What the AppHost wrote so far.</summary>
    public string Log
    {
        get
        {
            lock (_log) return _log.ToString();
        }
    }

    public async Task DisposeAsync()
    {
        if (_appHost is { HasExited: false })
        {
            using var terminate = Process.Start("kill", ["-TERM", $"{_appHost.Id}"]);
            await terminate.WaitForExitAsync();
            await _appHost.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
        }

        _appHost?.Dispose();
        Rest.Dispose();
        Dashboard.Dispose();
        Grpc.Dispose();
        Directory.Delete(State, recursive: true);
    }

    private async Task RunDemoAsync(Endpoints endpoints)
    {
        var output = new StringBuilder();
        using var demo = Start("Flights", ["demo"], line =>
        {
            lock (output) output.AppendLine(line);
        }, ("MLOPS_REST", endpoints.Rest.ToString()), ("MLOPS_GRPC", endpoints.Grpc.ToString()));
        using var deadline = new CancellationTokenSource(DemoDeadline);
        await demo.WaitForExitAsync(deadline.Token);
        (DemoExitCode, DemoOutput) = (demo.ExitCode, output.ToString());
        if (demo.ExitCode != 0) throw new InvalidOperationException($"The demo failed.\n{output}\n--- the AppHost:\n{Log}");
        await using var report = File.OpenRead(Path.Combine(State, "demo", "report.json"));
        Report = (await JsonDocument.ParseAsync(report)).RootElement;
    }

    private Process Start(string project, string[] arguments, Action<string> keep, params (string Key, string Value)[] environment)
    {
        var start = new ProcessStartInfo("dotnet", [AssemblyOf(project), .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["MLOPS_STATE"] = State;
        start.Environment["MLOPS_REST_PORT"] = "0";
        start.Environment["MLOPS_GRPC_PORT"] = "0";
        start.Environment["MLOPS_DASHBOARD_PORT"] = "0";
        start.Environment["MLOPS_SERVERS_DURABLE"] = "0";
        foreach (var (key, value) in environment) start.Environment[key] = value;
        var process = Process.Start(start) ?? throw new InvalidOperationException($"{project} did not start.");
        process.OutputDataReceived += (_, line) => keep(line.Data ?? "");
        process.ErrorDataReceived += (_, line) => keep(line.Data ?? "");
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        return process;
    }

    private static string AssemblyOf(string project)
    {
        var folder = project == "Flights" ? "samples/flights" : project;
        return Path.Combine(
            Repository.Root, folder, "bin", Repository.Configuration, "net10.0", $"MlOps.{project}.dll");
    }

    private void Keep(string line)
    {
        lock (_log) _log.AppendLine(line);
    }

    private async Task<Endpoints?> ReadEndpointsAsync()
    {
        if (_appHost is { HasExited: true }) throw new InvalidOperationException($"The AppHost ended.\n{Log}");
        var file = Path.Combine(State, "endpoints.json");
        return File.Exists(file)
            ? JsonSerializer.Deserialize<Endpoints>(await File.ReadAllTextAsync(file), JsonSerializerOptions.Web)
            : null;
    }

    private sealed record Endpoints(Uri Rest, Uri Grpc, Uri Dashboard);
}

/// <summary>All end-to-end tests share one platform, since each start costs half a minute.</summary>
[CollectionDefinition(Name)]
public sealed class PlatformTests : ICollectionFixture<RunningPlatform>
{
    public const string Name = "platform";
}
