using MlOps.Gateway.Access.Keys;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Audit;

public sealed class AuditCrashTests(PostgresDatabase<AuditCrashTests> database, BusPrefix<AuditCrashTests> prefix)
    : IClassFixture<PostgresDatabase<AuditCrashTests>>, IClassFixture<BusPrefix<AuditCrashTests>>
{
    private readonly string _key = KeyText.Of(KeyText.NewId(), KeyText.NewSecret());

    [ServerFact]
    public async Task Of_a_gateway_that_is_killed_everything_a_service_was_asked_for_is_in_the_audit()
    {
        await using var peer = new InferencePeer();
        await peer.StartAsync();
        await using var gateway = await ServiceProcess.StartAsync("Gateway", EnvironmentOf(peer));
        using var rest = new HttpClient { BaseAddress = gateway.Http, DefaultRequestHeaders = { { "x-api-key", _key } } };
        var stop = new CancellationTokenSource();
        var load = Enumerable.Range(0, 8).Select(async worker =>
        {
            for (var i = 0; !stop.IsCancellationRequested; i++)
            {
                try
                {
                    using var answer = await rest.PostAsync($"/v2/repository/models/crash-{worker}-{i}/load", null);
                }
                catch (HttpRequestException)
                {
                    return;
                }
            }
        }).ToArray();
        await Eventually.Async(() => peer.Requests.Count(r => r.Path.Contains("crash", StringComparison.Ordinal)) > 100, TimeSpan.FromSeconds(60));
        await gateway.KillAsync();
        await stop.CancelAsync();
        await Task.WhenAll(load);

        var asked = peer.Requests.Where(r => r.Path.Contains("crash", StringComparison.Ordinal)).Select(r => r.Path.Split('/')[4]).ToHashSet();
        var begun = await database.DataSource.QueryAsync(
            "select model from audit_entry where outcome = 'begun'", [], r => r.GetString(0), CancellationToken.None);
        Assert.Empty(asked.Except(begun));

        await gateway.StartAgainAsync();
        using var verdict = await rest.PostAsync("/v1/access/audit/verify", null);
        var said = await verdict.Content.ReadAsStringAsync();
        Assert.True(said.Contains("\"is_intact\":true", StringComparison.Ordinal), said);
    }

    private Dictionary<string, string?> EnvironmentOf(InferencePeer peer)
    {
        var environment = new Dictionary<string, string?>
        {
            ["ConnectionStrings__gatewaydb"] = database.ConnectionString,
            ["ConnectionStrings__rabbitmq"] = Servers.RabbitMq,
            ["Bus__Prefix"] = prefix.Value,
            ["Access__Mode"] = "Closed",
            ["Access__AdminKey"] = _key,
        };
        foreach (var service in GatewayReplica.Services)
        {
            environment[$"services__{service}__http__0"] = $"http://127.0.0.1:{peer.HttpPort}";
            environment[$"services__{service}__grpc__0"] = $"http://127.0.0.1:{peer.GrpcPort}";
        }

        return environment;
    }
}
