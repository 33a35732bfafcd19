using Aspire.Hosting;

namespace MlOps.AppHost.Tests;

/// <summary>This assembly as a program: runs one child that writes its process id into the given state folder.</summary>
internal static class ScratchHost
{
    public static async Task<int> Main(string[] args)
    {
        var builder = DistributedApplication.CreateBuilder([$"--MLOPS_STATE={args[0]}"]);
        builder.AddExecutable("child", "sh", args[0], "-c", "echo $$ > child.pid; exec sleep 600");
        await using var app = builder.Build();
        await app.RunAsync();
        return Environment.ExitCode;
    }
}
