using System.Text;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Local;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using MlOps.TestServers;

namespace MlOps.AppHost.Tests;

/// <summary>A small model of shell scripts in a folder of its own, run by the local runner with short pauses.</summary>
internal sealed class Model : IAsyncDisposable
{
    /// <summary>No healthy run comes near it.</summary>
    public static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    private readonly List<Resource> _resources = [];
    private readonly ServiceCollection _services = new();
    private readonly CancellationTokenSource _stop = new();
    private readonly Output _output = new();
    private readonly Spawner _spawner = new();
    private Task<bool>? _run;

    public Model() => _services.AddLogging().AddHealthChecks();

    public string Folder { get; } = Directory.CreateTempSubdirectory("mlops-runner-").FullName;

    public string Screen => _output.ToString();

    public Dictionary<string, bool> Health { get; } = [];

    public TimeSpan Patience { get; init; } = TimeSpan.FromSeconds(20);

    public ExecutableResource Script(string name, string script, params Resource[] needs)
    {
        var resource = new ExecutableResource(name, "sh", Folder);
        resource.Arguments.AddRange(["-c", script]);
        resource.Awaited.AddRange(needs);
        _resources.Add(resource);
        return resource;
    }

    public void Watch(Resource resource, bool isHealthy)
    {
        Health[resource.Name] = isHealthy;
        resource.HealthChecks.Add(resource.Name);
        _services.AddHealthChecks().AddCheck(
            resource.Name,
            () => Health[resource.Name] ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy());
    }

    public Task<bool> RunAsync()
    {
        var services = _services.BuildServiceProvider();
        var settings = new RunSettings(
            Folder,
            _spawner,
            new Screen(_output),
            services,
            services.GetRequiredService<HealthCheckService>(),
            TimeProvider.System,
            Dashboard: null)
        {
            FirstPause = TimeSpan.FromMilliseconds(100),
            Patience = Patience,
        };
        return _run = new Runner(_resources, settings).RunAsync(_stop.Token, CancellationToken.None);
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        if (_run is { IsFaulted: false })
            await _run;
    }

    /// <summary>Waits for a condition; when it does not come, fails with what the screen shows.</summary>
    public async Task UntilAsync(Func<bool> condition)
    {
        try
        {
            await Eventually.Async(condition, Deadline);
        }
        catch (TimeoutException)
        {
            Assert.Fail(Screen);
        }
    }

    public string Read(string file) =>
        File.Exists(Path.Combine(Folder, file)) ? File.ReadAllText(Path.Combine(Folder, file)) : "";

    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        _spawner.Dispose();
        _stop.Dispose();
        Directory.Delete(Folder, recursive: true);
    }

    private sealed class Output : TextWriter
    {
        private readonly StringBuilder _text = new();

        public override Encoding Encoding => Encoding.UTF8;

        public override void Write(char value)
        {
            lock (_text)
                _text.Append(value);
        }

        public override string ToString()
        {
            lock (_text)
                return _text.ToString();
        }
    }
}
