using System.Collections.Concurrent;
using System.Diagnostics;

namespace Aspire.Hosting.Local;

/// <summary>
/// Starts processes that die with this one. The kernel ties a child's parent-death signal to the <em>thread</em> that made it,
/// so one thread, which lives as long as the process, makes them all.
/// </summary>
internal sealed class Spawner : IDisposable
{
    // Between fork and the parent-death signal this process may have died already: then the child's parent is another one.
    private const string StartUnlessOrphan = """[ "$PPID" = "$1" ] || exit 1; shift; exec "$@" """;

    private readonly BlockingCollection<Action> _work = [];

    public Spawner() => new Thread(Work) { IsBackground = true, Name = "spawner" }.Start();

    public Task<ChildProcess> StartAsync(ProcessDescription description, ResourceLog log)
    {
        var started = new TaskCompletionSource<ChildProcess>(TaskCreationOptions.RunContinuationsAsynchronously);
        _work.Add(() =>
        {
            try
            {
                started.SetResult(Start(description, log));
            }
            catch (Exception failure) when (failure is System.ComponentModel.Win32Exception or IOException)
            {
                started.SetException(failure);
            }
        });
        return started.Task;
    }

    public void Dispose() => _work.CompleteAdding();

    private static ChildProcess Start(ProcessDescription description, ResourceLog log)
    {
        string[] command = [description.Command, .. description.Arguments];
        if (OperatingSystem.IsLinux())
            command =
            [
                "setsid", "setpriv", "--pdeathsig", "KILL",
                "sh", "-c", StartUnlessOrphan, "sh", $"{Environment.ProcessId}", .. command,
            ];
        var start = new ProcessStartInfo(command[0], command[1..])
        {
            WorkingDirectory = description.WorkingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        foreach (var (name, value) in description.Environment)
            start.Environment[name] = value;
        return new ChildProcess(start, log);
    }

    private void Work()
    {
        foreach (var action in _work.GetConsumingEnumerable())
            action();
    }
}

/// <summary>What to start.</summary>
internal sealed record ProcessDescription(
    string Command,
    IReadOnlyList<string> Arguments,
    string WorkingDirectory,
    IReadOnlyDictionary<string, string> Environment);
