namespace MlOps.AppHost;

/// <summary>What all services of the platform have in common in the model.</summary>
internal static class ServiceExtensions
{
    /// <summary>
    /// Adds a service with its two endpoints, <c>http</c> and <c>grpc</c> (HTTP/2 without TLS), its folder and its health.
    /// Ports are assigned unless they are given: then the service itself listens on them, with no proxy before it. Services
    /// know each other by the credential.
    /// </summary>
    public static IResourceBuilder<ProjectResource> AddService<TProject>(
        this IDistributedApplicationBuilder builder,
        string name,
        Instance instance,
        IResourceBuilder<ParameterResource> credential,
        int? http = null,
        int? grpc = null)
        where TProject : IProjectMetadata, new() => builder
        .AddProject<TProject>(name, launchProfileName: null)
        .WithHttpEndpoint(port: http, targetPort: http, name: "http", env: "MLOPS_HTTP_PORT", isProxied: http is null)
        .WithHttpEndpoint(port: grpc, targetPort: grpc, name: "grpc", env: "MLOPS_GRPC_PORT", isProxied: grpc is null)
        .WithEndpoint("grpc", endpoint => endpoint.Transport = "http2")
        .WithHttpHealthCheck("/health", endpointName: http is not null && instance.Tls.IsWanted ? Tls.ProbeEndpoint : "http")
        .WithEnvironment("MLOPS_BIND", "127.0.0.1")
        .WithEnvironment("MLOPS_INTERNAL_CREDENTIAL", credential)
        .WithEnvironment("Storage__Folder", instance.Subfolder("data", name))
        .WithSmallMemory();

    /// <summary>
    /// The gateway listens where the instance says, asks for keys as it says, and shows its certificate. A probe does not know
    /// the name on it: beside TLS there is a plain endpoint for probes, on loopback.
    /// </summary>
    public static IResourceBuilder<ProjectResource> OpensTo(this IResourceBuilder<ProjectResource> gateway, Instance instance)
    {
        gateway.WithEnvironment("MLOPS_BIND", instance.Bind);
        if (instance.IsClosed)
        {
            gateway.WithEnvironment("Access__Mode", "Closed").WithEnvironment(
                "Access__AdminKey",
                gateway.ApplicationBuilder.AddParameter("admin-key", instance.Secrets.AdminKey, secret: true));
        }

        if (instance.Tls.IsWanted)
        {
            gateway
                .WithEndpoint("http", endpoint => endpoint.UriScheme = "https")
                .WithEndpoint("grpc", endpoint => endpoint.UriScheme = "https")
                .WithHttpEndpoint(
                    port: instance.ProbePort, targetPort: instance.ProbePort, name: Tls.ProbeEndpoint, env: "MLOPS_PROBE_PORT",
                    isProxied: false)
                .WithEnvironment("Tls__Certificate", instance.Tls.Certificate)
                .WithEnvironment("Tls__Key", instance.Tls.Key);
            if (instance.Tls.Password.Length > 0)
            {
                gateway.WithEnvironment(
                    "Tls__Password",
                    gateway.ApplicationBuilder.AddParameter("tls-password", instance.Tls.Password, secret: true));
            }
        }

        return gateway;
    }

    /// <summary>
    /// Streams are split as the gateway splits. It starts after the service, so that this is no <c>Needs</c>. A platform that is
    /// open to more than this machine asks for a key and may show a certificate: there the address and the key are its operator's
    /// to give.
    /// </summary>
    public static IResourceBuilder<ProjectResource> AsksForPolicies(this IResourceBuilder<ProjectResource> service, Instance instance)
    {
        string address = $"http://127.0.0.1:{instance.GrpcPort}";
        return instance.IsClosed || instance.Tls.IsWanted ? service : service.WithEnvironment("services__gateway__grpc__0", address);
    }

    /// <summary>The service is told how to reach the other and starts after it.</summary>
    public static IResourceBuilder<ProjectResource> Needs(
        this IResourceBuilder<ProjectResource> service,
        IResourceBuilder<IResourceWithConnectionString> server) => service.WithReference(server).WaitFor(server);

    /// <inheritdoc cref="Needs(IResourceBuilder{ProjectResource}, IResourceBuilder{IResourceWithConnectionString})"/>
    public static IResourceBuilder<ProjectResource> Needs(
        this IResourceBuilder<ProjectResource> service,
        IResourceBuilder<ProjectResource> other) => service.WithReference(other).WaitFor(other);

    /// <summary>The service is told how to reach the other, and does not wait for it.</summary>
    public static IResourceBuilder<ProjectResource> Knows(
        this IResourceBuilder<ProjectResource> service,
        IResourceBuilder<ProjectResource> other) => service.WithReference(other);

    /// <summary>OpenMP threads that wait without spinning, which on few cores costs ten times the work itself.</summary>
    public static IResourceBuilder<ProjectResource> WithPassiveNativeThreads(this IResourceBuilder<ProjectResource> service) =>
        service.WithEnvironment("OMP_WAIT_POLICY", "PASSIVE");

    // Six services share one machine: one heap each, a first generation that does not grow with the processor's cache.
    private static IResourceBuilder<ProjectResource> WithSmallMemory(this IResourceBuilder<ProjectResource> service) => service
        .WithEnvironment("DOTNET_gcServer", "0")
        .WithEnvironment("DOTNET_GCConserveMemory", "5")
        .WithEnvironment("DOTNET_GCgen0size", "0x1000000")
        // Native libraries free what they took to the system at once, and not into one of many arenas.
        .WithEnvironment("MALLOC_ARENA_MAX", "2")
        .WithEnvironment("MALLOC_MMAP_THRESHOLD_", "131072")
        .WithEnvironment("MALLOC_TRIM_THRESHOLD_", "131072");
}
