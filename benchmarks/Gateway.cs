using Grpc.Net.Client;

namespace MlOps.Benchmarks;

/// <summary>The addresses of the platform under measurement, and clients like any user's.</summary>
internal static class Gateway
{
    public static string Rest => Environment.GetEnvironmentVariable("MLOPS_REST") ?? "http://127.0.0.1:8080";

    public static string Grpc => Environment.GetEnvironmentVariable("MLOPS_GRPC") ?? "http://127.0.0.1:8081";

    public static GrpcChannel Channel(string address) =>
        GrpcChannel.ForAddress(address, new GrpcChannelOptions { HttpHandler = new KeyHandler() });

    public static HttpClient Http(string address) => new(new KeyHandler()) { BaseAddress = new Uri(address) };

    // A platform that is closed asks every caller for its key.
    private sealed class KeyHandler() : DelegatingHandler(new SocketsHttpHandler())
    {
        private readonly string? _key = Environment.GetEnvironmentVariable("MLOPS_KEY");

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (!string.IsNullOrEmpty(_key)) request.Headers.TryAddWithoutValidation("x-api-key", _key);
            return base.SendAsync(request, cancellationToken);
        }
    }
}
