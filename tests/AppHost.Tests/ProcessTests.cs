using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using MlOps.TestServers;

namespace MlOps.AppHost.Tests;

/// <summary>What only whole processes show.</summary>
public sealed class ProcessTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("mlops-apphost-").FullName;

    [Fact]
    public async Task A_killed_runner_leaves_no_orphan_behind()
    {
        using var host = Start(typeof(ProcessTests).Assembly.Location, _folder);
        var file = Path.Combine(_folder, "child.pid");
        await Eventually.Async(() => File.Exists(file) && File.ReadAllText(file).EndsWith('\n'), Model.Deadline);
        var child = int.Parse(File.ReadAllText(file), CultureInfo.InvariantCulture);
        Assert.True(Processes.IsAlive(child));

        host.Kill(entireProcessTree: false);

        await Eventually.Async(() => !Processes.IsAlive(child), Model.Deadline);
    }

    [Fact]
    public async Task A_second_platform_in_the_same_state_folder_is_refused()
    {
        using var held = new FileStream(
            Path.Combine(_folder, "apphost.lock"), FileMode.Create, FileAccess.ReadWrite, FileShare.None);
        await File.WriteAllTextAsync(Path.Combine(_folder, "apphost.pid"), "4711");
        await File.WriteAllTextAsync(
            Path.Combine(_folder, "endpoints.json"),
            """{"rest":"http://127.0.0.1:1","grpc":"http://127.0.0.1:2","dashboard":"http://127.0.0.1:3","pid":4711}""");
        var appHost = typeof(ProcessTests).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
            .First(entry => entry.Key == "AppHost").Value!;

        using var second = Start(appHost);
        var said = await second.StandardError.ReadToEndAsync();
        await second.WaitForExitAsync();

        Assert.Equal(3, second.ExitCode);
        Assert.Contains("running already", said, StringComparison.Ordinal);
        Assert.Contains("pid 4711, REST http://127.0.0.1:1, gRPC http://127.0.0.1:2", said, StringComparison.Ordinal);
    }

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private Process Start(string assembly, params string[] arguments)
    {
        var start = new ProcessStartInfo("dotnet", [assembly, .. arguments])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["MLOPS_STATE"] = _folder;
        return Process.Start(start)!;
    }
}
