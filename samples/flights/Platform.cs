using Grpc.Core;
using Grpc.Net.Client;
using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Registry.V1;
using MlOps.Contracts.Training.V1;

namespace MlOps.Flights;

/// <summary>The platform as its users see it: one REST address and one gRPC address.</summary>
internal sealed class Platform(Uri rest, Uri grpc, string stateFolder, string? key)
{
    private readonly GrpcChannel _channel = GrpcChannel.ForAddress(grpc, new GrpcChannelOptions
    {
        MaxReceiveMessageSize = 32 * 1024 * 1024,
        HttpHandler = new KeyHandler(key),
    });

    public HttpClient Rest { get; } = new(new KeyHandler(key)) { BaseAddress = rest, Timeout = TimeSpan.FromSeconds(10) };

    public string ReportFolder { get; } = Path.Combine(stateFolder, "demo");

    public FeatureStoreService.FeatureStoreServiceClient Features => new(_channel);

    public TrainingService.TrainingServiceClient Training => new(_channel);

    public RegistryService.RegistryServiceClient Registry => new(_channel);

    public InferenceService.InferenceServiceClient Inference => new(_channel);

    public GRPCInferenceService.GRPCInferenceServiceClient OpenInference => new(_channel);

    public MonitoringService.MonitoringServiceClient Monitoring => new(_channel);

    public GatewayService.GatewayServiceClient Gateway => new(_channel);

    public static Platform FromEnvironment() => new(
        new Uri(Environment.GetEnvironmentVariable("MLOPS_REST") ?? "http://127.0.0.1:8080"),
        new Uri(Environment.GetEnvironmentVariable("MLOPS_GRPC") ?? "http://127.0.0.1:8081"),
        Environment.GetEnvironmentVariable("MLOPS_STATE") ?? ".mlops",
        Environment.GetEnvironmentVariable("MLOPS_KEY"));

    /// <summary>Options of a call that must end within <paramref name="seconds"/>.</summary>
    public static CallOptions Within(double seconds, CancellationToken ct, string? subject = null)
    {
        var headers = subject is null ? null : new Metadata { { "x-mlops-subject", subject } };
        return new CallOptions(headers, TimeProvider.System.GetUtcNow().UtcDateTime.AddSeconds(seconds), ct);
    }

    // A platform that is closed asks every caller for its key.
    private sealed class KeyHandler(string? key) : DelegatingHandler(new SocketsHttpHandler())
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            if (!string.IsNullOrEmpty(key)) request.Headers.TryAddWithoutValidation("x-api-key", key);
            return base.SendAsync(request, cancellationToken);
        }
    }
}
