using Grpc.Net.Client;

namespace MlOps.Benchmarks;

/// <summary>The addresses of the platform under measurement, and clients like any user's.</summary>
internal static class Gateway
{
    public static string Rest => Environment.GetEnvironmentVariable("MLOPS_REST") ?? "http://127.0.0.1:8080";

    public static string Grpc => Environment.GetEnvironmentVariable("MLOPS_GRPC") ?? "http://127.0.0.1:8081";

    public static GrpcChannel Channel(string address) => GrpcChannel.ForAddress(address);

    public static HttpClient Http(string address) => new() { BaseAddress = new Uri(address) };
}
