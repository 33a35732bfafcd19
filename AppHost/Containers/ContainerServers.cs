namespace MlOps.AppHost.Servers;

internal static partial class ServerSet
{
    static partial void TryContainers(
        IDistributedApplicationBuilder builder, Instance instance, bool isWanted, ref IServerSet? servers)
    {
        var engine = ContainerEngine.ThatAnswers();
        if (engine is null && isWanted)
            Refusal.Because("MLOPS_SERVERS=containers: neither docker nor podman answers.");
        if (engine is null)
            return;

        builder.Configuration["ASPIRE_CONTAINER_RUNTIME"] ??= engine;
        servers = new ContainerServers(builder, instance);
    }
}

/// <summary>PostgreSQL, Redis and RabbitMQ as containers, with data in the state folder.</summary>
internal sealed class ContainerServers : IServerSet
{
    private readonly IResourceBuilder<PostgresServerResource> _postgres;

    public ContainerServers(IDistributedApplicationBuilder builder, Instance instance)
    {
        var user = builder.AddParameter("server-user", "mlops");
        _postgres = builder.AddPostgres("postgres", user, Password("postgres"))
            .WithDataBindMount(instance.Subfolder("containers", "postgres"));
        Redis = builder.AddRedis("redis", port: null, password: Password("redis"))
            .WithDataBindMount(instance.Subfolder("containers", "redis"))
            .WithPersistence();
        RabbitMq = builder.AddRabbitMQ("rabbitmq", user, Password("rabbitmq"))
            // A message is acknowledged when its work is done, and a training trial may take a day.
            .WithEnvironment("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-rabbit consumer_timeout 86400000")
            .WithDataBindMount(instance.Subfolder("containers", "rabbitmq"));

        IResourceBuilder<ParameterResource> Password(string name) =>
            builder.AddParameter($"{name}-password", instance.Secrets[name], secret: true);
    }

    public IResourceBuilder<IResourceWithConnectionString> Redis { get; }

    public IResourceBuilder<IResourceWithConnectionString> RabbitMq { get; }

    public IResourceBuilder<IResourceWithConnectionString> AddDatabase(string name, string database) =>
        _postgres.AddDatabase(name, database);
}
