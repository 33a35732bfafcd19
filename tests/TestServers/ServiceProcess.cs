using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Xunit.Abstractions;

namespace MlOps.TestServers;

/// <summary>
/// A built service as a real process on free ports: started, healthy, killed and started again on the same ports.
/// It never outlives the test run. Its output goes to <see cref="Output"/>, which xunit shows with a failed test.
/// </summary>
public sealed class ServiceProcess : IAsyncDisposable
{
    private const int LinesKept = 2000;
    private static readonly HttpClient Client = new() { Timeout = TimeSpan.FromSeconds(10) };

    private readonly string _assembly;
    private readonly Dictionary<string, string?> _environment;
    private readonly ConcurrentQueue<string> _lines = new();
    private Process? _process;

    private ServiceProcess(string name, IEnumerable<KeyValuePair<string, string?>> environment)
    {
        Name = name;
        _assembly = Repository.AssemblyOf(name);
        _environment = new Dictionary<string, string?>(environment);
    }

    /// <summary>The project's name: <c>Registry</c>, <c>Gateway</c>.</summary>
    public string Name { get; }

    public Uri Http { get; } = new($"http://127.0.0.1:{FreePorts.Take()}");

    public Uri Grpc { get; } = new($"http://127.0.0.1:{FreePorts.Take()}");

    /// <summary>The running test; set it in the constructor of a test class that shares the process.</summary>
    public ITestOutputHelper? Output { get; set; }

    /// <summary>The last lines the service wrote.</summary>
    public string Log => string.Join(Environment.NewLine, _lines);

    public bool IsRunning => _process is { HasExited: false };

    /// <summary>
    /// Starts <c>MlOps.&lt;name&gt;.dll</c> of this build with these variables added (a null value removes one) and
    /// waits until <c>/health</c> says 200.
    /// </summary>
    public static async Task<ServiceProcess> StartAsync(
        string name,
        IEnumerable<KeyValuePair<string, string?>> environment,
        ITestOutputHelper? output = null,
        TimeSpan? deadline = null)
    {
        var service = new ServiceProcess(name, environment) { Output = output };
        try
        {
            await service.StartAgainAsync(deadline);
            return service;
        }
        catch
        {
            await service.DisposeAsync();
            throw;
        }
    }

    /// <summary>Starts a killed or stopped service on the ports it had and waits until it is healthy.</summary>
    public async Task StartAgainAsync(TimeSpan? deadline = null)
    {
        if (IsRunning)
            throw new InvalidOperationException($"{Name} is running already.");
        _process?.Dispose();
        _process = await ChildProcesses.StartAsync(Describe());
        _process.OutputDataReceived += (_, line) => Keep(line.Data);
        _process.ErrorDataReceived += (_, line) => Keep(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
        await WaitUntilHealthyAsync(deadline ?? TimeSpan.FromSeconds(60));
    }

    public async Task WaitUntilHealthyAsync(TimeSpan deadline)
    {
        try
        {
            await Eventually.Async(IsHealthyAsync, deadline, $"{Name} is healthy at {Http}health");
        }
        catch (Exception failure) when (failure is TimeoutException or InvalidOperationException)
        {
            throw new InvalidOperationException($"{failure.Message}\n--- its output:\n{Log}", failure);
        }
    }

    /// <summary>SIGKILL, as the kernel or an impatient orchestrator would; returns when the process is gone.</summary>
    public async Task KillAsync()
    {
        if (_process is null)
            return;
        if (!_process.HasExited)
            _process.Kill();
        await _process.WaitForExitAsync();
    }

    /// <summary>SIGTERM; returns the exit code when the process is gone.</summary>
    public async Task<int> StopAsync(TimeSpan? deadline = null)
    {
        if (_process is not { } process)
            throw new InvalidOperationException($"{Name} was never started.");
        ChildProcesses.Terminate(process);
        await Eventually.Async(() => process.HasExited, deadline ?? TimeSpan.FromSeconds(30), $"{Name} stops on SIGTERM");
        return process.ExitCode;
    }

    public async ValueTask DisposeAsync()
    {
        Output = null;
        await KillAsync();
        _process?.Dispose();
    }

    private ProcessStartInfo Describe()
    {
        var start = new ProcessStartInfo(Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet", [_assembly])
        {
            WorkingDirectory = Path.GetDirectoryName(_assembly),
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["MLOPS_HTTP_PORT"] = Http.Port.ToString(CultureInfo.InvariantCulture);
        start.Environment["MLOPS_GRPC_PORT"] = Grpc.Port.ToString(CultureInfo.InvariantCulture);
        foreach (var (name, value) in _environment)
            start.Environment[name] = value;
        return start;
    }

    private async Task<bool> IsHealthyAsync()
    {
        if (!IsRunning)
        {
            await (_process?.WaitForExitAsync() ?? Task.CompletedTask); // until its last line is read
            throw new InvalidOperationException($"{Name} ended with code {_process?.ExitCode} before it was healthy.");
        }
        try
        {
            using var answer = await Client.GetAsync(new Uri(Http, "health"));
            return answer.IsSuccessStatusCode;
        }
        catch (Exception failure) when (failure is HttpRequestException or TaskCanceledException)
        {
            return false; // not listening yet
        }
    }

    private void Keep(string? line)
    {
        if (line is null)
            return;
        _lines.Enqueue(line);
        if (_lines.Count > LinesKept)
            _lines.TryDequeue(out _);
        try
        {
            Output?.WriteLine($"[{Name}] {line}");
        }
        catch (InvalidOperationException)
        {
            Output = null; // its test is over
        }
    }
}
