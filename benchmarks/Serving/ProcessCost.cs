using System.Globalization;

namespace MlOps.Benchmarks.Serving;

/// <summary>What a process and its children have used so far, by the kernel's count (proc(5)).</summary>
internal static class ProcessCost
{
    // USER_HZ is 100 on every Linux that .NET runs on.
    private const double TicksPerSecond = 100;

    /// <summary>Processor time of all of them, user's and system's.</summary>
    public static TimeSpan CpuOf(params int[] processes) =>
        TimeSpan.FromSeconds(processes.SelectMany(FamilyOf).Sum(TicksOf) / TicksPerSecond);

    /// <summary>Resident bytes of the process alone.</summary>
    public static long ResidentBytesOf(int process) => File.ReadLines($"/proc/{process}/status")
        .Where(line => line.StartsWith("VmRSS:", StringComparison.Ordinal))
        .Select(line => long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) << 10)
        .Single();

    private static IEnumerable<int> FamilyOf(int process)
    {
        yield return process;
        foreach (var task in Directory.EnumerateDirectories($"/proc/{process}/task"))
        {
            foreach (var child in ChildrenOf(task))
            {
                foreach (var one in FamilyOf(child)) yield return one;
            }
        }
    }

    // A thread may be gone since it was listed.
    private static int[] ChildrenOf(string task)
    {
        try
        {
            return
            [
                .. File.ReadAllText(Path.Combine(task, "children")).Split(' ', StringSplitOptions.RemoveEmptyEntries)
                    .Select(child => int.Parse(child, CultureInfo.InvariantCulture)),
            ];
        }
        catch (IOException)
        {
            return [];
        }
    }

    // 4242 (MlOps Inference) S 1 …: utime and stime are the 12th and 13th field behind the name.
    private static long TicksOf(int process)
    {
        var stat = File.ReadAllText($"/proc/{process}/stat");
        var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
        return long.Parse(fields[11], CultureInfo.InvariantCulture) + long.Parse(fields[12], CultureInfo.InvariantCulture);
    }
}
