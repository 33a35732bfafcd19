using System.Globalization;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.Local;

/// <summary>Keeps one resource running: waits, starts, watches its health, restarts what died, stops.</summary>
internal sealed class ResourceRun(Resource resource, RunSettings settings) : IDisposable
{
    private readonly TaskCompletionSource _ready = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly TaskCompletionSource _givenUp = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _stop = new();
    private CancellationToken _kill;
    private Task _running = Task.CompletedTask;

    public Resource Resource => resource;

    public IReadOnlyList<ResourceRun> Dependencies { get; set; } = [];

    /// <summary>Ends when the resource was healthy for the first time.</summary>
    public Task Ready => _ready.Task;

    /// <summary>Ends when the resource never became healthy and starting it again is pointless.</summary>
    public Task GivenUp => _givenUp.Task;

    public void Start(CancellationToken kill)
    {
        _kill = kill;
        _running = Task.Run(RunAsync, CancellationToken.None);
    }

    public async Task StopAsync()
    {
        await _stop.CancelAsync();
        await _running;
    }

    public void Dispose() => _stop.Dispose();

    private async Task RunAsync()
    {
        try
        {
            await Task.WhenAll(Dependencies.Select(dependency => dependency.Ready)).WaitAsync(_stop.Token);
            if (resource is ExecutableResource or ProjectResource)
                await KeepRunningAsync();
            else
                await BecomeReadyAsync(_stop.Token);
        }
        catch (OperationCanceledException) when (_stop.IsCancellationRequested)
        {
        }
        catch (Exception failure)
        {
            // Not a death of the resource but of the runner's own work for it, e.g. an unwritable log folder.
            settings.Screen.Say(resource.Name, $"cannot be run: {failure.Message}");
            _givenUp.TrySetResult();
        }
    }

    private async Task KeepRunningAsync()
    {
        using var log = new ResourceLog(Path.Combine(settings.Folder, "logs", $"{resource.Name}.log"));
        var deaths = 0;
        while (true)
        {
            log.ForgetTail();
            settings.Screen.Say(resource.Name, "starting");
            var started = settings.Clock.GetTimestamp();
            using var child = await settings.Spawner.StartAsync(await DescribeAsync(), log);
            var code = await LiveAsync(child, started);
            await child.EndSessionAsync(settings.Clock);
            if (_stop.IsCancellationRequested)
                return;

            deaths = settings.Clock.GetElapsedTime(started) > settings.StableAfter ? 1 : deaths + 1;
            if (!Ready.IsCompleted && deaths >= settings.MaxStarts)
            {
                settings.Screen.Say(resource.Name, $"died {deaths} times (exit {code}), giving up", log.Tail);
                _givenUp.TrySetResult();
                return;
            }

            var pause = settings.PauseAfter(deaths);
            settings.Screen.Say(resource.Name, $"died (exit {code}), restarting in {Seconds(pause)}", log.Tail);
            await Task.Delay(pause, settings.Clock, _stop.Token);
        }
    }

    // Returns the exit code, after the resource died or was stopped.
    private async Task<int> LiveAsync(ChildProcess child, long started)
    {
        using var living = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        var watching = WatchAsync(started, living.Token);
        var stopped = Task.Delay(Timeout.InfiniteTimeSpan, settings.Clock, living.Token);
        await Task.WhenAny(child.Exited, stopped);
        await living.CancelAsync();
        await watching;
        if (_stop.IsCancellationRequested)
        {
            var byItself = await child.StopAsync(settings.Patience, settings.Clock, _kill);
            settings.Screen.Say(resource.Name, byItself ? "stopped" : "did not stop by itself: killed");
        }

        return await child.Exited;
    }

    private async Task WatchAsync(long started, CancellationToken ct)
    {
        try
        {
            await UntilHealthyAsync(started, ct);
            var after = settings.Clock.GetElapsedTime(started);
            settings.Screen.Say(resource.Name, resource.HealthChecks.Count == 0 ? "running" : $"healthy after {Seconds(after)}");
            await BecomeReadyAsync(ct);
        }
        catch (OperationCanceledException) when (ct.IsCancellationRequested)
        {
        }
        catch (Exception failure)
        {
            settings.Screen.Say(resource.Name, $"what was to happen once it is ready failed: {failure.Message}");
        }
    }

    private async Task UntilHealthyAsync(long started, CancellationToken ct)
    {
        var pause = TimeSpan.FromMilliseconds(50);
        var reportAfter = TimeSpan.FromSeconds(20);
        while (resource.HealthChecks.Count > 0)
        {
            var report = await settings.Health.CheckHealthAsync(check => resource.HealthChecks.Contains(check.Name), ct);
            if (report.Status == HealthStatus.Healthy)
                return;
            if (settings.Clock.GetElapsedTime(started) > reportAfter)
            {
                reportAfter *= 2;
                settings.Screen.Say(resource.Name, "not healthy yet", [.. report.Entries.Values.Select(entry => entry.Description ?? "")]);
            }

            await Task.Delay(pause, settings.Clock, ct);
            pause = TimeSpan.FromMilliseconds(Math.Min(500, pause.TotalMilliseconds * 1.5));
        }
    }

    private async Task BecomeReadyAsync(CancellationToken ct)
    {
        _ready.TrySetResult();
        foreach (var callback in resource.ReadyCallbacks)
            await callback(settings.Services, ct);
    }

    private async Task<ProcessDescription> DescribeAsync()
    {
        var environment = await ChildEnvironment.OfAsync(resource, settings.Dashboard, _stop.Token);
        var arguments = await ChildEnvironment.ArgumentsOfAsync(resource, _stop.Token);
        if (resource is ExecutableResource executable)
            return new(executable.Command, arguments, executable.WorkingDirectory, environment);

        var project = ((ProjectResource)resource).Metadata
            ?? throw new DistributedApplicationException("the project says nothing of its assembly");
        if (!File.Exists(project.AssemblyPath))
            throw new DistributedApplicationException($"{project.AssemblyPath} is missing: build it");
        var host = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        return new(host, [project.AssemblyPath, .. arguments], Path.GetDirectoryName(project.ProjectPath)!, environment);
    }

    private static string Seconds(TimeSpan time) => time.TotalSeconds.ToString("0.#", CultureInfo.InvariantCulture) + " s";
}
