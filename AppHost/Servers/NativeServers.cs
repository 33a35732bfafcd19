using System.Globalization;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace MlOps.AppHost.Servers;

/// <summary>The machine's own PostgreSQL, Redis and RabbitMQ as processes, on loopback, with data in the state folder.</summary>
internal sealed class NativeServers : IServerSet
{
    private readonly IDistributedApplicationBuilder _builder;
    private readonly Instance _instance;
    private readonly IResourceBuilder<NativeServer> _postgres;

    public NativeServers(IDistributedApplicationBuilder builder, Instance instance)
    {
        _builder = builder;
        _instance = instance;
        _postgres = Add("postgres", (server, password) => ReferenceExpression.Create(
            $"Host=127.0.0.1;Port={server.Port};Username=mlops;Password={password}"));
        Redis = Add("redis", (server, password) => ReferenceExpression.Create(
            $"127.0.0.1:{server.Port},password={password}"));
        // Beside AMQP: Erlang's own two ports.
        RabbitMq = Add("rabbitmq", (server, password) => ReferenceExpression.Create(
                $"amqp://mlops:{password}@127.0.0.1:{server.Port}"))
            .WithArgs(Text(Ports.NextFree()), Text(Ports.NextFree()));
    }

    public IResourceBuilder<IResourceWithConnectionString> Redis { get; }

    public IResourceBuilder<IResourceWithConnectionString> RabbitMq { get; }

    public IResourceBuilder<IResourceWithConnectionString> AddDatabase(string name, string database) =>
        _builder.AddConnectionString(name, ReferenceExpression.Create($"{_postgres.Resource};Database={database}"))
            .WaitFor(_postgres);

    private IResourceBuilder<NativeServer> Add(
        string name,
        Func<NativeServer, ParameterResource, ReferenceExpression> connectionString)
    {
        var secret = _instance.Secrets[name];
        var password = _builder.AddParameter($"{name}-password", secret, secret: true);
        var port = Ports.NextFree();
        var scripts = Path.Combine(Instance.RepositoryRoot, "eng", "servers");
        var key = $"{name}_answers";
        _builder.Services.AddHealthChecks().Add(new HealthCheckRegistration(
            key, _ => new ServerAnswers(name, port, secret), failureStatus: null, tags: null));

        var server = new NativeServer(
            name, Path.Combine(scripts, $"{name}.sh"), scripts, self => connectionString(self, password.Resource));
        return _builder.AddResource(server)
            .WithArgs(_instance.Subfolder("data", name), Text(port))
            .WithEndpoint(port: port, targetPort: port, scheme: "tcp", name: NativeServer.Endpoint, isProxied: false)
            .WithEnvironment($"MLOPS_{name.ToUpperInvariant()}_PASSWORD", password)
            .WithEnvironment("MLOPS_SERVERS_DURABLE", Environment.GetEnvironmentVariable("MLOPS_SERVERS_DURABLE") ?? "1")
            .WithHealthCheck(key);
    }

    private static string Text(int port) => port.ToString(CultureInfo.InvariantCulture);
}

/// <summary>One server, started by its script in <c>eng/servers</c>.</summary>
internal sealed class NativeServer(
    string name,
    string script,
    string folder,
    Func<NativeServer, ReferenceExpression> connectionString)
    : ExecutableResource(name, script, folder), IResourceWithConnectionString
{
    public const string Endpoint = "tcp";

    public EndpointReferenceExpression Port => new EndpointReference(this, Endpoint).Property(EndpointProperty.Port);

    public ReferenceExpression ConnectionStringExpression => connectionString(this);
}
