using MlOps.Contracts.Features.V1;
using MlOps.Contracts.Inference.V1;
using MlOps.Contracts.Monitoring.V1;
using MlOps.Contracts.OpenInference;
using MlOps.Contracts.Registry.V1;
using MlOps.Contracts.Training.V1;
using FileDescriptor = Google.Protobuf.Reflection.FileDescriptor;
using ServiceDescriptor = Google.Protobuf.Reflection.ServiceDescriptor;

namespace MlOps.Gateway.Routes;

/// <summary>A service behind the gateway and the public surface it answers for.</summary>
/// <param name="Name">As in the configuration: <c>services:{name}:http:0</c> and <c>:grpc:0</c>, more numbers being more replicas.</param>
/// <param name="GrpcServices">Its services on the gRPC side, as the contracts describe them.</param>
/// <param name="RestPaths">Route patterns on the REST side.</param>
internal sealed record PlatformService(string Name, IReadOnlyList<ServiceDescriptor> GrpcServices, IReadOnlyList<string> RestPaths)
{
    public const string Inference = "inference";

    /// <summary>Takes bodies of any size: the service itself has the limit.</summary>
    public const string UploadPath = "/v1/batch-inputs";

    public static IReadOnlyList<PlatformService> All { get; } =
    [
        new("featurestore", In(FeaturesReflection.Descriptor), []),
        new("training", In(TrainingReflection.Descriptor), []),
        new("registry", In(RegistryReflection.Descriptor), []),
        new(
            Inference, In(InferenceReflection.Descriptor, BatchReflection.Descriptor, StreamsReflection.Descriptor, GrpcServiceReflection.Descriptor),
            [
                "/v2/{**rest}", "/v1/models/{**rest}", "/invocations", "/ping",
                "/v1/batch-jobs/{**rest}", UploadPath, "/v1/batch-schedules/{**rest}", "/v1/streams/{**rest}",
            ]),
        new("monitoring", In(MonitoringReflection.Descriptor), []),
    ];

    /// <exception cref="InvalidOperationException">No address is configured.</exception>
    public IReadOnlyList<string> Addresses(IConfiguration configuration, string endpoint)
    {
        var key = $"services:{Name}:{endpoint}";
        string[] found = [.. configuration.GetSection(key).GetChildren().Select(c => c.Value).OfType<string>()];
        return found.Length > 0 ? found : throw new InvalidOperationException($"{key}:0 is not set.");
    }

    private static ServiceDescriptor[] In(params FileDescriptor[] files) => [.. files.SelectMany(f => f.Services)];
}
