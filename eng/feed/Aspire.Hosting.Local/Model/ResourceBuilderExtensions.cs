using System.Net;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting;

/// <summary>What can be said of a resource.</summary>
public static class ResourceBuilderExtensions
{
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, string? value)
        where T : IResourceWithEnvironment => builder.SetVariable(name, value);

    public static IResourceBuilder<T> WithEnvironment<T>(
        this IResourceBuilder<T> builder,
        string name,
        IResourceBuilder<ParameterResource> parameter)
        where T : IResourceWithEnvironment => builder.SetVariable(name, parameter.Resource);

    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, params string[] args)
        where T : IResourceWithArgs => builder.WithArgs([.. args.Cast<object>()]);

    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, params object[] args)
        where T : IResourceWithArgs
    {
        builder.Described().Arguments.AddRange(args);
        return builder;
    }

    public static IResourceBuilder<T> WithHttpEndpoint<T>(
        this IResourceBuilder<T> builder,
        int? port = null,
        int? targetPort = null,
        string? name = null,
        string? env = null,
        bool isProxied = true)
        where T : IResourceWithEndpoints => builder.WithEndpoint(port, targetPort, "http", name, env, isProxied);

    public static IResourceBuilder<T> WithEndpoint<T>(
        this IResourceBuilder<T> builder,
        int? port = null,
        int? targetPort = null,
        string? scheme = null,
        string? name = null,
        string? env = null,
        bool isProxied = true)
        where T : IResourceWithEndpoints
    {
        var endpoint = new EndpointAnnotation(name ?? scheme ?? "tcp", scheme ?? "tcp")
        {
            Port = port,
            TargetPort = targetPort,
            IsProxied = isProxied,
            EnvironmentVariable = env,
        };
        var endpoints = builder.Described().Endpoints;
        if (endpoints.Exists(other => other.Name == endpoint.Name))
            throw new DistributedApplicationException($"'{builder.Resource.Name}' has an endpoint '{endpoint.Name}' already.");
        endpoints.Add(endpoint);
        if (env is not null)
            builder.SetVariable(env, new EndpointReference(builder.Resource, endpoint.Name).Property(EndpointProperty.TargetPort));
        return builder;
    }

    public static IResourceBuilder<T> WithEndpoint<T>(
        this IResourceBuilder<T> builder,
        string endpointName,
        Action<EndpointAnnotation> callback,
        bool createIfNotExists = true)
        where T : IResourceWithEndpoints
    {
        var endpoints = builder.Described().Endpoints;
        var endpoint = endpoints.Find(other => other.Name == endpointName);
        if (endpoint is null && createIfNotExists)
            endpoints.Add(endpoint = new EndpointAnnotation(endpointName, "tcp"));
        if (endpoint is not null)
            callback(endpoint);
        return builder;
    }

    public static EndpointReference GetEndpoint<T>(this IResourceBuilder<T> builder, string name)
        where T : IResourceWithEndpoints => new(builder.Resource, name);

    public static IResourceBuilder<T> WithReference<T>(
        this IResourceBuilder<T> builder,
        IResourceBuilder<IResourceWithConnectionString> source,
        string? connectionName = null,
        bool optional = false)
        where T : IResourceWithEnvironment => builder.SetVariable(
            source.Resource.ConnectionStringEnvironmentVariable
                ?? $"ConnectionStrings__{connectionName ?? source.Resource.Name}",
            source.Resource);

    public static IResourceBuilder<T> WithReference<T>(
        this IResourceBuilder<T> builder,
        IResourceBuilder<IResourceWithServiceDiscovery> source)
        where T : IResourceWithEnvironment
    {
        foreach (var endpoint in source.Described().Endpoints)
            builder.SetVariable(
                $"services__{source.Resource.Name}__{endpoint.Name}__0",
                new EndpointReference(source.Resource, endpoint.Name));
        return builder;
    }

    public static IResourceBuilder<T> WaitFor<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency)
        where T : IResourceWithWaitSupport
    {
        builder.Described().Awaited.Add(dependency.Described());
        return builder;
    }

    public static IResourceBuilder<T> WithHealthCheck<T>(this IResourceBuilder<T> builder, string key)
        where T : IResource
    {
        builder.Described().HealthChecks.Add(key);
        return builder;
    }

    public static IResourceBuilder<T> WithHttpHealthCheck<T>(
        this IResourceBuilder<T> builder,
        string? path = null,
        int? statusCode = null,
        string? endpointName = null)
        where T : IResourceWithEndpoints
    {
        var endpoint = builder.GetEndpoint(endpointName ?? "http");
        var expected = (HttpStatusCode)(statusCode ?? 200);
        var key = $"{builder.Resource.Name}_{endpoint.EndpointName}_{path}_{(int)expected}_check";
        builder.ApplicationBuilder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            key,
            _ => new Local.HttpHealthCheck(() => new Uri(new Uri(endpoint.Url), path ?? "/"), expected),
            failureStatus: null,
            tags: null));
        return builder.WithHealthCheck(key);
    }

    public static IResourceBuilder<T> OnResourceReady<T>(
        this IResourceBuilder<T> builder,
        Func<T, ResourceReadyEvent, CancellationToken, Task> callback)
        where T : IResource
    {
        var resource = builder.Resource;
        builder.Described().ReadyCallbacks.Add(
            (services, ct) => callback(resource, new ResourceReadyEvent(resource, services), ct));
        return builder;
    }

    internal static Resource Described<T>(this IResourceBuilder<T> builder)
        where T : IResource => builder.Resource as Resource
            ?? throw new DistributedApplicationException($"'{builder.Resource.Name}' does not derive from Resource.");

    private static IResourceBuilder<T> SetVariable<T>(this IResourceBuilder<T> builder, string name, object? value)
        where T : IResource
    {
        builder.Described().Environment.Add(new(name, value));
        return builder;
    }
}
