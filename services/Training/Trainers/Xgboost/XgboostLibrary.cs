using System.Runtime.InteropServices;

namespace MlOps.Training.Trainers.Xgboost;

/// <summary>Loads the native library once, with OpenMP's threads told to sleep while they wait, and says plainly when it is not there.</summary>
internal sealed partial class XgboostLibrary
{
    internal XgboostLibrary(string name = NativeXgboost.Library)
    {
        // libgomp reads this when it loads; .NET's own environment block does not reach it. Spinning threads cost ten
        // times the work on a small machine.
        if (OperatingSystem.IsLinux()) _ = SetEnvironment("OMP_WAIT_POLICY", "PASSIVE", overwrite: 0);

        IsAvailable = NativeLibrary.TryLoad(name, typeof(NativeXgboost).Assembly, searchPath: null, out _);
        if (!IsAvailable)
        {
            Note = $"{name} cannot be loaded. On Debian or Ubuntu: apt-get install -y libxgboost0";
            return;
        }
        NativeXgboost.Version(out var major, out var minor, out var patch);
        Note = $"{major}.{minor}.{patch}";
    }

    internal bool IsAvailable { get; }

    /// <summary>Version when available, else why not and what to do.</summary>
    internal string Note { get; }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
