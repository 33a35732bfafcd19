using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Local;

namespace MlOps.AppHost.Tests;

public sealed class ModelTests
{
    private static readonly IDistributedApplicationBuilder Builder = DistributedApplication.CreateBuilder([]);

    [Fact]
    public async Task References_become_addresses_and_connection_strings()
    {
        var password = Builder.AddParameter("password", "p w", secret: true);
        var server = Builder.AddExecutable("server", "true", "/").WithEndpoint(port: 5432, name: "tcp", isProxied: false);
        var database = Builder.AddConnectionString("modelsdb", ReferenceExpression.Create(
            $"Port={server.GetEndpoint("tcp").Property(EndpointProperty.Port)};Password={password.Resource};Database=models"));
        var other = Builder.AddResource(new ProjectResource("other"))
            .WithHttpEndpoint(port: 5001, name: "http", env: "HTTP_PORT").WithHttpEndpoint(port: 5002, name: "grpc");
        var service = Builder.AddResource(new ProjectResource("service")).WithReference(database).WithReference(other);
        foreach (var endpoint in new[] { server.Described(), other.Described() }.SelectMany(each => each.Endpoints))
            endpoint.Allocate();

        var seen = await ChildEnvironment.OfAsync(service.Resource, dashboard: null, CancellationToken.None);
        var own = await ChildEnvironment.OfAsync(other.Resource, dashboard: null, CancellationToken.None);

        Assert.Equal("Port=5432;Password=p w;Database=models", seen["ConnectionStrings__modelsdb"]);
        Assert.Equal("http://127.0.0.1:5001", seen["services__other__http__0"]);
        Assert.Equal("http://127.0.0.1:5002", seen["services__other__grpc__0"]);
        Assert.Equal("5001", own["HTTP_PORT"]);
    }

    [Fact]
    public async Task Projects_are_told_where_telemetry_goes_and_executables_are_not()
    {
        var dashboard = new Dashboard(new ProjectResource("dashboard"), "http://127.0.0.1:4317", "key");

        var project = await ChildEnvironment.OfAsync(new ProjectResource("registry"), dashboard, CancellationToken.None);
        var executable = await ChildEnvironment.OfAsync(
            new ExecutableResource("redis", "true", "/"), dashboard, CancellationToken.None);

        Assert.Equal("http://127.0.0.1:4317", project["OTEL_EXPORTER_OTLP_ENDPOINT"]);
        Assert.Equal("grpc", project["OTEL_EXPORTER_OTLP_PROTOCOL"]);
        Assert.Equal("x-otlp-api-key=key", project["OTEL_EXPORTER_OTLP_HEADERS"]);
        Assert.Equal("registry", project["OTEL_SERVICE_NAME"]);
        Assert.StartsWith("service.instance.id=", project["OTEL_RESOURCE_ATTRIBUTES"], StringComparison.Ordinal);
        Assert.DoesNotContain(executable.Keys, name => name.StartsWith("OTEL_", StringComparison.Ordinal));
    }

    [Fact]
    public void A_log_keeps_one_older_part_and_its_last_lines()
    {
        var folder = Directory.CreateTempSubdirectory("mlops-log-").FullName;
        var path = Path.Combine(folder, "x.log");
        using (var log = new ResourceLog(path, limit: 100))
        {
            for (var line = 0; line < 100; line++)
                log.Write($"line {line:000}");
            Assert.Equal(15, log.Tail.Count);
            Assert.Equal("line 099", log.Tail.Last());
        }

        Assert.InRange(new FileInfo(path).Length, 1, 120);
        Assert.InRange(new FileInfo(path + ".1").Length, 100, 120);
        Assert.Equal(2, Directory.GetFiles(folder).Length);
        Directory.Delete(folder, recursive: true);
    }
}
