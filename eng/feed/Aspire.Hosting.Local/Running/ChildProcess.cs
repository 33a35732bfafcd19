using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Aspire.Hosting.Local;

/// <summary>A running child, leader of its own session, so that a Ctrl-C at the terminal reaches only the runner.</summary>
internal sealed partial class ChildProcess : IDisposable
{
    private const int Terminate = 15;
    private const int Kill = 9;
    private readonly TaskCompletionSource<int> _exited = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly Process _process;

    /// <exception cref="System.ComponentModel.Win32Exception">The command cannot be run.</exception>
    public ChildProcess(ProcessStartInfo start, ResourceLog log)
    {
        _process = new Process { StartInfo = start, EnableRaisingEvents = true };
        _process.OutputDataReceived += (_, line) => log.Write(line.Data);
        _process.ErrorDataReceived += (_, line) => log.Write(line.Data);
        _process.Exited += (_, _) => _exited.TrySetResult(_process.ExitCode);
        _process.Start();
        Id = _process.Id;
        _process.StandardInput.Close();
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Id { get; }

    /// <summary>The exit code: 128 + n when signal n ended it.</summary>
    public Task<int> Exited => _exited.Task;

    /// <summary>Asks it to end and waits; once the patience is over, or at once when <paramref name="kill"/> is set, ends it.</summary>
    /// <returns>Whether it ended by itself.</returns>
    public async Task<bool> StopAsync(TimeSpan patience, TimeProvider clock, CancellationToken kill)
    {
        Signal(Id, Terminate);
        try
        {
            await Exited.WaitAsync(patience, clock, kill);
            return true;
        }
        catch (Exception impatience) when (impatience is TimeoutException or OperationCanceledException)
        {
            Signal(-Id, Kill);
            await Exited;
            return false;
        }
    }

    /// <summary>After its exit: ends what is left of its process group and takes in its last words.</summary>
    public async Task EndSessionAsync(TimeProvider clock)
    {
        Signal(-Id, Kill);
        try
        {
            await _process.WaitForExitAsync(CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(1), clock);
        }
        catch (TimeoutException)
        {
            // A descendant in a session of its own still holds the pipe.
        }
    }

    public void Dispose() => _process.Dispose();

    private static void Signal(int target, int signal) => _ = KillNative(target, signal);

    [LibraryImport("libc", EntryPoint = "kill")]
    private static partial int KillNative(int pid, int signal);
}
