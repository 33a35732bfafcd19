using System.Globalization;
using Grpc.Core;
using MlOps.Flights;

CultureInfo.DefaultThreadCurrentCulture = CultureInfo.InvariantCulture;
using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, e) =>
{
    e.Cancel = true;
    stop.Cancel();
};

if (args is not ["demo"])
{
    Console.WriteLine("""
        usage: MlOps.Flights demo

        Drives the flight-delay model from raw CSV to judged predictions, through the gateway only.
          MLOPS_REST   gateway REST address   (default http://127.0.0.1:8080)
          MLOPS_GRPC   gateway gRPC address   (default http://127.0.0.1:8081)
          MLOPS_KEY    API key, where the gateway asks for one
          MLOPS_STATE  folder for the report  (default .mlops; the report goes to demo/ inside)
        """);
    return args is [] or ["--help"] or ["-h"] ? 0 : 2;
}

try
{
    await Demo.RunAsync(Platform.FromEnvironment(), stop.Token);
    return 0;
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    Console.Error.WriteLine("stopped");
    return 130;
}
catch (RpcException e)
{
    Console.Error.WriteLine($"✗ the platform answered {e.StatusCode}: {e.Status.Detail}");
    return 1;
}
catch (Exception e) when (e is DemoException or HttpRequestException or FileNotFoundException)
{
    Console.Error.WriteLine($"✗ {e.Message}");
    return 1;
}
