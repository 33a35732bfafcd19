using System.Globalization;
using System.Runtime.InteropServices;
using MlOps.Benchmarks;
using MlOps.Benchmarks.Explanations;
using MlOps.Benchmarks.Peers;
using MlOps.Benchmarks.Serving;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
using var stop = new CancellationTokenSource();
using var interrupted = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminated = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);

switch (args)
{
    // The peers run in processes of their own, as the platform's services do.
    case ["echo", var rest, var grpc]:
        await EchoServer.RunAsync(int.Parse(rest, CultureInfo.InvariantCulture), int.Parse(grpc, CultureInfo.InvariantCulture));
        return 0;
    case ["proxy", var rest, var grpc, var restTarget, var grpcTarget]:
        await BareProxy.RunAsync(
            int.Parse(rest, CultureInfo.InvariantCulture), int.Parse(grpc, CultureInfo.InvariantCulture), restTarget, grpcTarget);
        return 0;
    case ["onnx", var rest, var grpc, var model]:
        await OnnxServer.RunAsync(int.Parse(rest, CultureInfo.InvariantCulture), int.Parse(grpc, CultureInfo.InvariantCulture), model);
        return 0;
    case ["serving", "--soak", var minutes] when int.TryParse(minutes, CultureInfo.InvariantCulture, out var length) && length > 0:
        return await RunAsync(() => ServingBench.SoakAsync(length, stop.Token));
    case ["gateway", "--soak", var minutes] when int.TryParse(minutes, CultureInfo.InvariantCulture, out var length) && length > 0:
        return await RunAsync(() => GatewayBench.SoakAsync(length, stop.Token));
    case ["hold"]:
        return await RunAsync(() => ServingBench.HoldAsync(stop.Token));
}

var benches = new Dictionary<string, Func<Task>>
{
    ["prediction"] = () => PredictionBench.RunAsync(stop.Token),
    ["online-features"] = () => OnlineFeaturesBench.RunAsync(stop.Token),
    ["serving"] = () => ServingBench.RunAsync(stop.Token),
    ["gateway"] = () => GatewayBench.RunAsync(stop.Token),
    ["trees"] = () => TreesBench.RunAsync(stop.Token),
    ["rollouts"] = () => RolloutsBench.RunAsync(stop.Token),
    ["batch"] = () => BatchBench.RunAsync(stop.Token),
    ["shap"] = () => ShapBench.RunAsync(stop.Token),
};
if (args is ["--help"] or ["-h"] || args.Any(name => !benches.ContainsKey(name)))
{
    Console.WriteLine($"""
        usage: ./mlops bench [{string.Join(" | ", benches.Keys)}]
               ./mlops bench serving | gateway --soak MINUTES

        Measures a running platform that has run the demo (./mlops demo --keep), beside bare peers in the same run;
        trees, shap, rollouts, serving, gateway and batch need no platform, shap needs libxgboost0.
        Every answer is checked before anything is timed. What counts is the ratio, not the time.
          MLOPS_REST, MLOPS_GRPC       addresses of the gateway
          MLOPS_BENCH_SECONDS          length of each measurement (default 5)
          MLOPS_BENCH_CALLERS          requests in flight (default 16)
        """);
    return args is ["--help"] or ["-h"] ? 0 : 2;
}

return await RunAsync(async () =>
{
    foreach (var name in args.Length == 0 ? [.. benches.Keys] : args) await benches[name]();
});

// What it started goes with it.
void Stop(PosixSignalContext signal)
{
    signal.Cancel = true;
    stop.Cancel();
}

async Task<int> RunAsync(Func<Task> bench)
{
    try
    {
        await bench();
        return 0;
    }
    catch (OperationCanceledException) when (stop.IsCancellationRequested)
    {
        return 130;
    }
    catch (Exception e) when (e is HttpRequestException or Grpc.Core.RpcException or BenchException)
    {
        Console.Error.WriteLine($"✗ {e.Message}");
        if (args is not ["trees" or "shap" or "rollouts" or "serving" or "gateway" or "batch", ..]) Console.Error.WriteLine("  A platform with the demo's model is needed: ./mlops demo --keep");
        return 1;
    }
}
