using System.Diagnostics;
using MlOps.TestServers;

namespace MlOps.Inference.Tests.Conformance;

/// <summary>The clients under samples/clients, each on a stack of its own, against the running service.</summary>
[Collection(nameof(InferenceFixture))]
public sealed class ClientTests(InferenceFixture services)
{
    private static readonly string Samples = Path.Combine(Repository.Root, "samples", "clients");

    /// <summary>.NET's HTTP client and gRPC.</summary>
    [ServerFact]
    public Task The_csharp_client_gets_equal_answers() => CheckAsync("dotnet", Repository.AssemblyOf("Clients"));

    /// <summary>urllib and a hand-written Protocol Buffers; gRPC where the package grpcio is installed.</summary>
    [ProgramFact("python3")]
    public Task The_python_client_gets_equal_answers() => CheckAsync("python3", Path.Combine(Samples, "python", "predict.py"));

    /// <summary>fetch; gRPC where npm install has run in the client's folder.</summary>
    [ProgramFact("node")]
    public Task The_node_client_gets_equal_answers() => CheckAsync("node", Path.Combine(Samples, "node", "predict.mjs"));

    private async Task CheckAsync(string program, string client)
    {
        var model = await services.NewModelAsync(Graphs.Delay(), Graphs.DelaySignature);
        await services.SetAliasAsync(model, "champion", 1);
        await Eventually.Async(
            async () => (await services.Http.GetAsync(new Uri($"v2/models/{model}/versions/champion", UriKind.Relative))).IsSuccessStatusCode,
            TimeSpan.FromSeconds(30), "the alias is known");

        foreach (var target in (string[])[model, $"{model}@champion"])
        {
            var (code, output) = await RunAsync(program, client, target, "origin=BYTES:ATL,Zürich", "distance=FP32:719.25,100", "hour=FP32:8,17.1");
            Assert.True(code == 0, output);
            Assert.Contains("all answers are equal to the bit", output, StringComparison.Ordinal);
        }

        foreach (var refused in (string[][])[["no-such-model", "x=FP32:1"], [model, "hour=FP32:1"]])
        {
            var (code, output) = await RunAsync(program, [client, .. refused]);
            Assert.True(code == 1 && output.Contains("refused with ", StringComparison.Ordinal), output);
        }
    }

    private async Task<(int Code, string Output)> RunAsync(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment["MLOPS_REST"] = services.Inference.Http.ToString();
        start.Environment["MLOPS_GRPC"] = services.Inference.Grpc.ToString();
        using var process = Process.Start(start)!; // Null only with UseShellExecute.
        var output = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, string.Concat(output));
    }

    /// <summary>A fact that needs a program besides the servers: skipped, saying so, where it is not installed.</summary>
    [AttributeUsage(AttributeTargets.Method)]
    private sealed class ProgramFactAttribute : FactAttribute
    {
        public ProgramFactAttribute(string program) => Skip = Servers.SkipReason ?? (IsOnPath(program) ? null : $"There is no {program} on the PATH.");

        private static bool IsOnPath(string program) => (Environment.GetEnvironmentVariable("PATH") ?? "")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Any(folder => File.Exists(Path.Combine(folder, program)));
    }
}
