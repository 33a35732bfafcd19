using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting.Local;

/// <summary>Runs all resources: up in the order of their waits, down in the reverse.</summary>
internal sealed class Runner(IReadOnlyList<Resource> resources, RunSettings settings)
{
    /// <summary>Runs until <paramref name="stop"/>, or until a resource had to be given up; <paramref name="kill"/> ends the rest at once.</summary>
    /// <returns>False when a resource had to be given up.</returns>
    public async Task<bool> RunAsync(CancellationToken stop, CancellationToken kill)
    {
        Directory.CreateDirectory(Path.Combine(settings.Folder, "logs"));
        foreach (var endpoint in resources.SelectMany(resource => resource.Endpoints))
            endpoint.Allocate();

        var runs = resources.ToDictionary(resource => resource, resource => new ResourceRun(resource, settings));
        foreach (var run in runs.Values)
            run.Dependencies = [.. run.Resource.Dependencies.Select(dependency => runs[dependency])];
        CheckForCycles(runs.Values);
        foreach (var run in runs.Values)
            run.Start(kill);

        var needed = runs.Values.Where(run => run.Resource != settings.Dashboard?.Resource).ToArray();
        var stopped = Task.Delay(Timeout.InfiniteTimeSpan, settings.Clock, stop);
        var first = await Task.WhenAny(needed.Select(run => run.GivenUp).Append(stopped));
        await StopAsync(needed);
        await StopAsync([.. runs.Values.Except(needed)]);
        foreach (var run in runs.Values)
            run.Dispose();
        return first == stopped;
    }

    // A resource stops when everything that depends on it has stopped.
    private static async Task StopAsync(IReadOnlyCollection<ResourceRun> runs)
    {
        var stops = new Dictionary<ResourceRun, Lazy<Task>>();
        foreach (var run in runs)
            stops[run] = new Lazy<Task>(async () =>
            {
                await Task.WhenAll(runs.Where(other => other.Dependencies.Contains(run)).Select(other => stops[other].Value));
                await run.StopAsync();
            });
        await Task.WhenAll(stops.Values.Select(stop => stop.Value));
    }

    private static void CheckForCycles(IEnumerable<ResourceRun> runs)
    {
        var done = new HashSet<ResourceRun>();
        var path = new List<ResourceRun>();
        foreach (var run in runs)
            Visit(run);

        void Visit(ResourceRun run)
        {
            if (done.Contains(run))
                return;
            if (path.Contains(run))
                throw new DistributedApplicationException(
                    $"Resources wait for each other: {string.Join(" > ", path.Append(run).Select(step => step.Resource.Name))}.");
            path.Add(run);
            foreach (var dependency in run.Dependencies)
                Visit(dependency);
            path.RemoveAt(path.Count - 1);
            done.Add(run);
        }
    }
}
