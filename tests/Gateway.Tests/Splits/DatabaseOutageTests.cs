using Grpc.Core;
using MlOps.Contracts.OpenInference;
using MlOps.ServiceDefaults;
using MlOps.TestServers;
using Npgsql;

namespace MlOps.Gateway.Tests.Splits;

public sealed class DatabaseOutageTests(Platform<DatabaseOutageTests> platform) : IClassFixture<Platform<DatabaseOutageTests>>
{
    [ServerFact]
    public async Task While_the_database_is_away_the_last_policies_stay_in_force_and_changes_are_refused()
    {
        var put = await platform.Gateway.Policies.PutAsync(Samples.Only("m", "1"));
        var name = new NpgsqlConnectionStringBuilder(platform.Database.ConnectionString).Database;
        await using (var server = NpgsqlDataSource.Create(Servers.Postgres))
        {
            await server.ExecuteAsync($"alter database \"{name}\" with allow_connections false", [], CancellationToken.None);
            await server.ExecuteAsync(
                "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [name], CancellationToken.None);

            await Assert.ThrowsAsync<RpcException>(() => platform.Gateway.Policies.PutAsync(Samples.Only("m", "2")));
            var answer = await new GRPCInferenceService.GRPCInferenceServiceClient(platform.Gateway.Channel)
                .ModelInferAsync(new ModelInferRequest { ModelName = "m" }, deadline: Samples.Soon);
            Assert.Equal(("only", "1"), (answer.Id, answer.ModelVersion));

            await server.ExecuteAsync($"alter database \"{name}\" with allow_connections true", [], CancellationToken.None);
        }

        var changed = await platform.Gateway.Policies.PutAsync(Samples.Only("m", "2"));
        Assert.True(changed.Revision > put.Revision);
    }
}
