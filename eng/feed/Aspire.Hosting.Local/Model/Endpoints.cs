using System.Globalization;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>One port a resource listens on.</summary>
public sealed class EndpointAnnotation
{
    internal EndpointAnnotation(string name, string uriScheme)
    {
        Name = name;
        UriScheme = uriScheme;
        Transport = uriScheme == "tcp" ? "tcp" : "http";
    }

    public string Name { get; set; }

    public string UriScheme { get; set; }

    public string Transport { get; set; }

    public int? Port { get; set; }

    public int? TargetPort { get; set; }

    public bool IsProxied { get; set; } = true;

    internal string? EnvironmentVariable { get; set; }

    internal int? AllocatedPort { get; private set; }

    // Nothing stands between caller and process here: port and target port are one and the same.
    internal void Allocate()
    {
        if (Port is { } port && TargetPort is { } target && port != target)
            throw new DistributedApplicationException($"Endpoint '{Name}': the local runner has no proxy from {port} to {target}.");
        AllocatedPort = Port ?? TargetPort ?? Local.FreePort.Next();
    }
}

/// <summary>The parts of an endpoint's address.</summary>
public enum EndpointProperty
{
    Url,
    Host,
    IPV4Host,
    Port,
    Scheme,
    TargetPort,
    HostAndPort,
}

/// <summary>The address of an endpoint, known when the application runs.</summary>
public sealed class EndpointReference(IResourceWithEndpoints owner, string endpointName)
    : IValueProvider, IManifestExpressionProvider
{
    public IResourceWithEndpoints Resource { get; } = owner;

    public string EndpointName { get; } = endpointName;

    public string ValueExpression => $"{{{Resource.Name}.bindings.{EndpointName}.url}}";

    public string Scheme => Annotation.UriScheme;

#pragma warning disable CA1822 // An instance member in Aspire's own API.
    public string Host => "127.0.0.1";
#pragma warning restore CA1822

    public int Port => Annotation.AllocatedPort
        ?? throw new InvalidOperationException($"The endpoint '{EndpointName}' of '{Resource.Name}' has no port yet.");

    public string Url => $"{Scheme}://{Host}:{Port}";

    private EndpointAnnotation Annotation =>
        ((Resource)Resource).Endpoints.Find(endpoint => endpoint.Name == EndpointName)
        ?? throw new InvalidOperationException($"There is no endpoint '{EndpointName}' on '{Resource.Name}'.");

    public EndpointReferenceExpression Property(EndpointProperty property) => new(this, property);

    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => new(Url);
}

/// <summary>One part of an endpoint's address.</summary>
public class EndpointReferenceExpression(EndpointReference endpoint, EndpointProperty property)
    : IValueProvider, IManifestExpressionProvider
{
    public EndpointReference Endpoint { get; } = endpoint;

    public EndpointProperty Property { get; } = property;

    public string ValueExpression => $"{{{Endpoint.Resource.Name}.bindings.{Endpoint.EndpointName}.{Property}}}";

    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken) => new(Property switch
    {
        EndpointProperty.Url => Endpoint.Url,
        EndpointProperty.Host or EndpointProperty.IPV4Host => Endpoint.Host,
        EndpointProperty.Scheme => Endpoint.Scheme,
        EndpointProperty.HostAndPort => $"{Endpoint.Host}:{Endpoint.Port}",
        _ => Endpoint.Port.ToString(CultureInfo.InvariantCulture),
    });
}
