using MlOps.Contracts.Gateway.V1;
using MlOps.ServiceDefaults;
using MlOps.TestServers;

namespace MlOps.Gateway.Tests.Splits;

public sealed class ReplicaTests(Platform<ReplicaTests> platform) : IClassFixture<Platform<ReplicaTests>>
{
    private static readonly TimeSpan Deadline = TimeSpan.FromSeconds(30);

    [ServerFact]
    public async Task Two_replicas_agree_after_the_event_alone()
    {
        // This one never asks the database by itself within the test.
        await using var other = await platform.StartReplicaAsync("--Gateway:PolicyCheckInterval=00:10:00");
        await HearsEventsAsync(other);

        var put = await platform.Gateway.Policies.PutAsync(Samples.NinetyTen("shared"));
        await Eventually.Async(async () => put.Equals(await FindAsync(other, "shared")), Deadline);

        await other.Policies.DeleteTrafficPolicyAsync(new DeleteTrafficPolicyRequest { Model = "shared" }, deadline: Samples.Soon);
        await Eventually.Async(async () => await FindAsync(platform.Gateway, "shared") is null, Deadline);
    }

    [ServerFact]
    public async Task A_lost_event_heals_by_the_next_check()
    {
        await using var other = await platform.StartReplicaAsync("--Gateway:PolicyCheckInterval=00:00:00.2");
        var put = await platform.Gateway.Policies.PutAsync(Samples.NinetyTen("unheard"));

        // A change whose event nobody ever publishes.
        await platform.Database.ExecuteAsync(
            """
            with change as (
                insert into traffic_policy_change (revision, model, actor, reason, changed_at)
                select max(revision) + 1, 'unheard', '', '', now() from traffic_policy_change returning revision
            )
            update traffic_policy set coverage = 0.125, revision = change.revision from change where model = 'unheard'
            """,
            [], CancellationToken.None);
        await Eventually.Async(async () => await FindAsync(other, "unheard") is { Coverage: 0.125 } found && found.Revision > put.Revision, Deadline);
    }

    [ServerFact]
    public async Task A_restart_forgets_nothing()
    {
        var put = await platform.Gateway.Policies.PutAsync(Samples.NinetyTen("remembered"));
        await using var restarted = await platform.StartReplicaAsync();
        Assert.Equal(put, await FindAsync(restarted, "remembered"));
    }

    private async Task HearsEventsAsync(GatewayReplica replica)
    {
        // Its queue is bound once a change reaches it.
        for (var attempt = 0; ; attempt++)
        {
            var put = await platform.Gateway.Policies.PutAsync(Samples.Only("ping", "1"));
            try
            {
                await Eventually.Async(async () => await FindAsync(replica, "ping") is { } found && found.Revision >= put.Revision, TimeSpan.FromSeconds(3));
                return;
            }
            catch (TimeoutException) when (attempt < 10)
            {
            }
        }
    }

    private static async Task<TrafficPolicy?> FindAsync(GatewayReplica replica, string model)
    {
        var all = await replica.Policies.ListTrafficPoliciesAsync(new ListTrafficPoliciesRequest(), deadline: Samples.Soon);
        return all.Policies.SingleOrDefault(p => p.Model == model);
    }
}
