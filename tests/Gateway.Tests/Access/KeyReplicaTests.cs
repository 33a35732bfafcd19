using System.Net;
using MlOps.Contracts.Gateway.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;
using Npgsql;

namespace MlOps.Gateway.Tests.Access;

public sealed class KeyReplicaTests(ClosedPlatform<KeyReplicaTests> platform) : IClassFixture<ClosedPlatform<KeyReplicaTests>>
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [ServerFact]
    public async Task A_revocation_reaches_a_replica_by_the_event_alone()
    {
        // This one never asks the database by itself within the test.
        await using var other = await platform.StartReplicaAsync("--Access:KeyCheckInterval=00:10:00");
        string key = "";
        // Its queue is bound once a new key opens it.
        await Eventually.Async(
            async () =>
            {
                key = (await platform.KeyAsync(("viewer", "*"))).Text;
                return await OpensSoonAsync(other, key);
            },
            Deadline);

        await platform.Access.RevokeApiKeyAsync(new RevokeApiKeyRequest { Id = key.Split('_')[1] }, platform.Admin, Samples.Soon);
        await Eventually.Async(async () => await StatusAsync(other, key) == HttpStatusCode.Unauthorized, Deadline);
    }

    [ServerFact]
    public async Task A_revocation_whose_event_is_lost_is_found_by_the_next_check()
    {
        await using var other = await platform.StartReplicaAsync("--Access:KeyCheckInterval=00:00:00.1");
        var made = await platform.KeyAsync(("viewer", "*"));
        await Eventually.Async(async () => await StatusAsync(other, made.Text) == HttpStatusCode.OK, Deadline);

        await platform.Database.ExecuteAsync(
            "update api_key set revoked_at = now(), revision = (select max(revision) + 1 from api_key) where id = $1",
            [made.Key.Id], CancellationToken.None);
        await Eventually.Async(async () => await StatusAsync(other, made.Text) == HttpStatusCode.Unauthorized, Deadline);
    }

    [ServerFact]
    public async Task While_the_database_is_away_known_keys_stay_and_revoked_ones_stay_revoked()
    {
        var (good, bad) = (await platform.KeyAsync(("viewer", "*")), await platform.KeyAsync(("viewer", "*")));
        await platform.Access.RevokeApiKeyAsync(new RevokeApiKeyRequest { Id = bad.Key.Id }, platform.Admin, Samples.Soon);
        var name = new NpgsqlConnectionStringBuilder(platform.Database.ConnectionString).Database;
        await using var server = NpgsqlDataSource.Create(Servers.Postgres);
        await server.ExecuteAsync($"alter database \"{name}\" with allow_connections false", [], CancellationToken.None);
        await server.ExecuteAsync(
            "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [name], CancellationToken.None);

        using var prediction = await platform.SendAsync(HttpMethod.Post, "/v2/models/m/infer", good.Text);
        var revoked = await StatusAsync(platform.Gateway, bad.Text);
        await server.ExecuteAsync($"alter database \"{name}\" with allow_connections true", [], CancellationToken.None);

        Assert.Equal(HttpStatusCode.OK, prediction.StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, revoked);
    }

    [ServerFact]
    public async Task A_restart_forgets_no_key()
    {
        var made = await platform.KeyAsync(("viewer", "*"));
        await using var restarted = await platform.StartReplicaAsync();
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(restarted, made.Text));
    }

    private async Task<bool> OpensSoonAsync(GatewayReplica replica, string key)
    {
        try
        {
            await Eventually.Async(async () => await StatusAsync(replica, key) == HttpStatusCode.OK, TimeSpan.FromSeconds(2));
            return true;
        }
        catch (TimeoutException)
        {
            return false;
        }
    }

    private async Task<HttpStatusCode> StatusAsync(GatewayReplica replica, string key)
    {
        using var answer = await platform.SendAsync(HttpMethod.Get, "/v1/access/me", key, replica: replica);
        return answer.StatusCode;
    }
}
