using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace MlOps.TestServers;

/// <summary>
/// Starts children that the kernel kills when the test run dies. The death signal follows the *thread* that started a
/// child, so all are started by one thread that lives as long as the process.
/// </summary>
internal static class ChildProcesses
{
    private const int SigTerm = 15;
    private static readonly BlockingCollection<Action> Starts = [];
    private static readonly bool CanFollow = OperatingSystem.IsLinux() && IsOnPath("setpriv") && IsOnPath("setsid");

    static ChildProcesses()
    {
        var thread = new Thread(static () =>
        {
            foreach (var start in Starts.GetConsumingEnumerable())
                start();
        })
        { IsBackground = true, Name = "child processes" };
        thread.Start();
    }

    /// <summary>Starts the process described; in a session of its own, so that Ctrl-C reaches only the test run.</summary>
    public static Task<Process> StartAsync(ProcessStartInfo start)
    {
        if (CanFollow)
        {
            string[] prefix = ["setpriv", "--pdeathsig", "KILL", start.FileName];
            foreach (var argument in prefix.Reverse())
                start.ArgumentList.Insert(0, argument);
            start.FileName = "setsid";
        }
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        Starts.Add(() =>
        {
            try
            {
                started.SetResult(Process.Start(start)!); // null only with UseShellExecute
            }
            catch (Exception failure) when (failure is System.ComponentModel.Win32Exception or InvalidOperationException)
            {
                started.SetException(failure);
            }
        });
        return started.Task;
    }

    /// <summary>Asks the process to stop in order, as an orchestrator does.</summary>
    public static void Terminate(Process process) => _ = Kill(process.Id, SigTerm);

    private static bool IsOnPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "")
        .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Any(folder => File.Exists(Path.Combine(folder, program)));

    [DllImport("libc", EntryPoint = "kill")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.System32)]
    private static extern int Kill(int pid, int signal);
}
