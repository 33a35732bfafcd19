namespace MlOps.AppHost.Servers;

/// <summary>The servers the platform stands on.</summary>
internal interface IServerSet
{
    IResourceBuilder<IResourceWithConnectionString> Redis { get; }

    IResourceBuilder<IResourceWithConnectionString> RabbitMq { get; }

    /// <summary>Adds the connection to a PostgreSQL database; the service that uses it makes the database.</summary>
    IResourceBuilder<IResourceWithConnectionString> AddDatabase(string name, string database);
}

/// <summary>Chooses between containers and the machine's own servers.</summary>
internal static partial class ServerSet
{
    /// <summary>
    /// Adds PostgreSQL, Redis and RabbitMQ: as containers where an engine answers, else as processes.
    /// <c>MLOPS_SERVERS=containers|native</c> decides otherwise.
    /// </summary>
    public static IServerSet AddTo(IDistributedApplicationBuilder builder, Instance instance)
    {
        var wanted = Environment.GetEnvironmentVariable("MLOPS_SERVERS");
        if (wanted is not (null or "" or "native" or "containers"))
            Refusal.Because($"MLOPS_SERVERS={wanted}: it is 'native' or 'containers'.");

        IServerSet? containers = null;
        if (wanted != "native")
            TryContainers(builder, instance, isWanted: wanted == "containers", ref containers);
        if (containers is null && wanted == "containers")
            Refusal.Because("MLOPS_SERVERS=containers: this build runs its servers as processes only.");
        return containers ?? new NativeServers(builder, instance);
    }

    // Compiled only with the packages of Aspire's container integrations.
    static partial void TryContainers(
        IDistributedApplicationBuilder builder, Instance instance, bool isWanted, ref IServerSet? servers);
}
