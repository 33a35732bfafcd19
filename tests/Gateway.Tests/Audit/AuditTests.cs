using System.Buffers.Binary;
using System.Net;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Grpc.Core;
using MlOps.Contracts.Gateway.V1;
using MlOps.Contracts.Registry.V1;
using MlOps.Gateway.Tests.Access;
using MlOps.ServiceDefaults;
using MlOps.TestServers;
using Npgsql;

namespace MlOps.Gateway.Tests.Audit;

public sealed class AuditTests(ClosedPlatform<AuditTests> platform) : IClassFixture<ClosedPlatform<AuditTests>>
{
    private string AdminName => $"key:{platform.AdminKey.Split('_')[1]}";

    [ServerFact]
    public async Task A_change_of_the_gateways_own_stands_once_with_what_was_and_what_is()
    {
        await platform.Gateway.Policies.PutTrafficPolicyAsync(
            new PutTrafficPolicyRequest { Policy = Samples.Only("own", "1"), Actor = "ann", Reason = "a try" }, platform.Admin, Samples.Soon);
        using var put = await platform.SendAsync(
            HttpMethod.Put, "/v1/traffic-policies/own", platform.AdminKey,
            JsonContent.Create(new { arms = new[] { new { name = "a", version = "2", weight = 1.0 } } }));
        using var gone = await platform.SendAsync(HttpMethod.Delete, "/v1/traffic-policies/own", platform.AdminKey);

        var entries = await EntriesAsync("own");
        Assert.Equal(
            [
                ("/mlops.gateway.v1.GatewayService/PutTrafficPolicy", "done", false, true),
                ("PUT /v1/traffic-policies/{model}", "done", true, true), ("DELETE /v1/traffic-policies/{model}", "done", true, false),
            ],
            entries.Select(e => (e.Action, e.Outcome, e.BeforeJson.Length > 0, e.AfterJson.Length > 0)));
        Assert.All(entries, e => Assert.Equal((AdminName, 0), (e.Actor, e.Begun)));
        Assert.Equal("ann: a try", entries[0].Reason);
        Assert.Equal("1", JsonNode.Parse(entries[1].BeforeJson)?["arms"]?[0]?["version"]?.GetValue<string>());
        Assert.Equal("2", JsonNode.Parse(entries[1].AfterJson)?["arms"]?[0]?["version"]?.GetValue<string>());
    }

    [ServerFact]
    public async Task What_is_refused_is_there_too_with_why()
    {
        using var wrong = await platform.SendAsync(
            HttpMethod.Put, "/v1/traffic-policies/refused", platform.AdminKey, JsonContent.Create(new { arms = Array.Empty<object>() }));
        await Assert.ThrowsAsync<RpcException>(async () => await platform.Gateway.Policies.PutTrafficPolicyAsync(
            new PutTrafficPolicyRequest { Policy = new TrafficPolicy { Model = "refused" } }, platform.Admin, Samples.Soon));
        var viewer = (await platform.KeyAsync(("viewer", "*"))).Text;
        using var denied = await platform.SendAsync(HttpMethod.Delete, "/v1/traffic-policies/refused", viewer);
        var scoped = (await platform.KeyAsync(("operator", "mine-*"))).Text;
        await Assert.ThrowsAsync<RpcException>(async () => await platform.Gateway.Policies.PutTrafficPolicyAsync(
            new PutTrafficPolicyRequest { Policy = Samples.Only("refused", "1") }, ClosedPlatform<AuditTests>.As(scoped), Samples.Soon));

        Assert.Equal(
            [
                ("refused", "TRAFFIC_POLICY_INVALID"), ("refused", "TRAFFIC_POLICY_INVALID"), ("denied", "PERMISSION_DENIED"),
                ("denied", "PERMISSION_DENIED"),
            ],
            (await EntriesAsync("refused")).Select(e => (e.Outcome, e.Code)));
        Assert.Equal($"key:{viewer.Split('_')[1]}", (await EntriesAsync("refused"))[2].Actor);
    }

    [ServerFact]
    public async Task A_change_behind_the_gateway_begins_and_ends_there()
    {
        using var loaded = await platform.SendAsync(HttpMethod.Post, "/v2/repository/models/behind/load", platform.AdminKey);
        Assert.Equal(HttpStatusCode.OK, loaded.StatusCode);
        // The peer has no registry.
        await Assert.ThrowsAsync<RpcException>(async () => await new RegistryService.RegistryServiceClient(platform.Gateway.Channel)
            .SetAliasAsync(new SetAliasRequest { Model = "behind", Alias = "champion", Version = 3 }, platform.Admin, Samples.Soon));

        // An outcome is noted as the answer ends, which the caller may have read by then.
        await Eventually.Async(async () => (await EntriesAsync("behind")).Count == 4, TimeSpan.FromSeconds(30));
        var entries = await EntriesAsync("behind");
        Assert.Equal(
            [("begun", ""), ("done", "200"), ("begun", ""), ("refused", "Unimplemented")], entries.Select(e => (e.Outcome, e.Code)));
        Assert.Equal([0L, entries[0].Sequence, 0, entries[2].Sequence], entries.Select(e => e.Begun));
        Assert.All(entries, e => Assert.Equal(AdminName, e.Actor));
    }

    [ServerFact]
    public async Task Reading_and_predicting_leave_nothing_there()
    {
        using var prediction = await platform.SendAsync(HttpMethod.Post, "/v2/models/read/infer", platform.AdminKey);
        using var policy = await platform.SendAsync(HttpMethod.Get, "/v1/traffic-policies/read", platform.AdminKey);
        Assert.Empty(await EntriesAsync("read"));
    }

    [ServerFact]
    public async Task A_key_is_there_without_its_secret_nor_the_hash_of_it()
    {
        var made = await platform.KeyAsync(("viewer", "*"));
        await platform.Access.RevokeApiKeyAsync(new RevokeApiKeyRequest { Id = made.Key.Id }, platform.Admin, Samples.Soon);
        var rows = await platform.Database.QueryAsync(
            "select row_to_json(e)::text from audit_entry e where target = $1 order by sequence", [made.Key.Id], r => r.GetString(0), CancellationToken.None);
        Assert.Equal(2, rows.Count);
        var hash = await platform.Database.QueryFirstOrDefaultAsync(
            "select encode(hash, 'hex') from api_key where id = $1", [made.Key.Id], r => r.GetString(0), CancellationToken.None);
        foreach (var row in rows)
        {
            Assert.DoesNotContain(made.Text.Split('_')[^1], row, StringComparison.Ordinal);
            Assert.DoesNotContain(hash!, row, StringComparison.Ordinal);
        }
    }

    [ServerFact]
    public async Task Each_hash_is_what_the_documentation_says_it_is()
    {
        await platform.Gateway.Policies.PutTrafficPolicyAsync(
            new PutTrafficPolicyRequest { Policy = Samples.Only("hashed", "1"), Reason = "größer" }, platform.Admin, Samples.Soon);
        var entry = Assert.Single(await EntriesAsync("hashed"));

        var bytes = new MemoryStream();
        bytes.Write(entry.PreviousHash.Span);
        Number(entry.Sequence);
        Number(entry.AtMicros);
        foreach (var text in new[] { entry.Actor, entry.Action, entry.Model, entry.Target, entry.Outcome, entry.Code }) Text(text);
        Number(entry.Begun);
        Text(entry.Reason);
        Text(entry.BeforeJson.Length == 0 ? null : entry.BeforeJson);
        Text(entry.AfterJson);
        Text(entry.TraceId);
        Assert.Equal(Convert.ToHexString(SHA256.HashData(bytes.ToArray())), Convert.ToHexString(entry.Hash.Span));

        void Number(long number)
        {
            Span<byte> eight = stackalloc byte[8];
            BinaryPrimitives.WriteInt64BigEndian(eight, number);
            bytes.Write(eight);
        }

        void Text(string? text)
        {
            Span<byte> four = stackalloc byte[4];
            var utf8 = text is null ? [] : Encoding.UTF8.GetBytes(text);
            BinaryPrimitives.WriteInt32BigEndian(four, text is null ? -1 : utf8.Length);
            bytes.Write(four);
            bytes.Write(utf8);
        }
    }

    [ServerFact]
    public async Task Of_many_changes_at_once_over_two_replicas_the_chain_has_every_one()
    {
        await using var other = await platform.StartReplicaAsync();
        var before = (await VerifyAsync()).LastSequence;
        await Task.WhenAll(Enumerable.Range(0, 60).Select(async i =>
        {
            using var answer = await platform.SendAsync(
                HttpMethod.Post, $"/v2/repository/models/many-{i}/load", platform.AdminKey, replica: i % 2 == 0 ? other : platform.Gateway);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }));
        await Eventually.Async(async () => (await VerifyAsync()).LastSequence >= before + 120, TimeSpan.FromSeconds(30));
        var verdict = await VerifyAsync();
        Assert.True(verdict.IsIntact, verdict.Reason);
    }

    [ServerFact]
    public async Task Pages_follow_one_another_and_filters_hold()
    {
        for (var i = 0; i < 5; i++)
            (await platform.SendAsync(HttpMethod.Post, "/v2/repository/models/paged/load", platform.AdminKey)).Dispose();

        await Eventually.Async(async () => (await EntriesAsync("paged")).Count == 10, TimeSpan.FromSeconds(30));
        var seen = new List<long>();
        for (string? token = ""; token is not null;)
        {
            using var answer = await platform.SendAsync(
                HttpMethod.Get, $"/v1/access/audit?model=paged&page_size=3&page_token={token}", platform.AdminKey);
            var page = await answer.Content.ReadFromJsonAsync<JsonObject>();
            seen.AddRange(page?["entries"]?.AsArray().Select(e => e!["sequence"]!.GetValue<long>()) ?? []);
            token = page?["next_page_token"]?.GetValue<string>() is { Length: > 0 } next ? next : null;
        }

        Assert.Equal(10, seen.Distinct().Count());
        Assert.Equal(seen.OrderDescending(), seen);

        Assert.Empty((await platform.Access.ListAuditEntriesAsync(
            new ListAuditEntriesRequest { Model = "paged", Actor = "key:nobody" }, platform.Admin, Samples.Soon)).Entries);
        Assert.Empty((await platform.Access.ListAuditEntriesAsync(
            new ListAuditEntriesRequest { Model = "paged", ToMicros = 1 }, platform.Admin, Samples.Soon)).Entries);
        using var wrong = await platform.SendAsync(HttpMethod.Get, "/v1/access/audit?page_size=-1&page_token=x", platform.AdminKey);
        Assert.Equal(HttpStatusCode.BadRequest, wrong.StatusCode);
    }

    [ServerFact]
    public async Task Without_the_audit_nothing_behind_the_gateway_is_changed()
    {
        var name = new NpgsqlConnectionStringBuilder(platform.Database.ConnectionString).Database;
        await using var server = NpgsqlDataSource.Create(Servers.Postgres);
        await server.ExecuteAsync($"alter database \"{name}\" with allow_connections false", [], CancellationToken.None);
        await server.ExecuteAsync("select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", [name], CancellationToken.None);
        using var refused = await platform.SendAsync(HttpMethod.Post, "/v2/repository/models/unaudited/load", platform.AdminKey);
        await server.ExecuteAsync($"alter database \"{name}\" with allow_connections true", [], CancellationToken.None);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, refused.StatusCode);
        Assert.DoesNotContain(platform.Peer.Requests, r => r.Path.Contains("unaudited", StringComparison.Ordinal));
        // Its outcome, which needed no asking, comes when the database is back.
        await Eventually.Async(async () => (await EntriesAsync("unaudited")).Count == 1, TimeSpan.FromSeconds(30));
    }

    private async Task<List<AuditEntry>> EntriesAsync(string model)
    {
        var list = await platform.Access.ListAuditEntriesAsync(new ListAuditEntriesRequest { Model = model }, platform.Admin, Samples.Soon);
        return [.. list.Entries.Reverse()];
    }

    private async Task<VerifyAuditResponse> VerifyAsync() =>
        await platform.Access.VerifyAuditAsync(new VerifyAuditRequest(), platform.Admin, Samples.Soon);
}
