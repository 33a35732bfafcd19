using Google.Protobuf;
using MlOps.Contracts.Gateway.V1;
using MlOps.Gateway.Audit;
using MlOps.Gateway.Tests.Access;
using MlOps.ServiceDefaults;
using MlOps.TestServers;
using Npgsql;

namespace MlOps.Gateway.Tests.Audit;

/// <summary>One who may write the database tries everything; each test puts the chain back as it was.</summary>
public sealed class TamperingTests(ClosedPlatform<TamperingTests> platform) : IClassFixture<ClosedPlatform<TamperingTests>>
{
    [ServerTheory]
    [InlineData("update audit_entry set actor = 'nobody' where sequence = 1")]
    [InlineData("delete from audit_entry where sequence = 1")]
    [InlineData("truncate audit_entry")]
    public async Task The_database_itself_lets_no_entry_be_changed(string statement)
    {
        await FillAsync(2);
        var refusal = await Assert.ThrowsAsync<PostgresException>(() => platform.Database.ExecuteAsync(statement, [], CancellationToken.None));
        Assert.Contains("never changed", refusal.MessageText, StringComparison.Ordinal);
    }

    [ServerTheory]
    [InlineData("update audit_entry set actor = 'nobody' where sequence = 3", 3)]
    [InlineData("update audit_entry set outcome = 'failed' where sequence = 3", 3)]
    [InlineData("update audit_entry set at = at + interval '1 microsecond' where sequence = 4", 4)]
    [InlineData("update audit_entry set after = null, before = after where sequence = 2", 2)]
    [InlineData("update audit_entry set after = '' where sequence = 3", 3)]
    [InlineData("delete from audit_entry where sequence = 3", 3)]
    [InlineData("delete from audit_entry where sequence = 1", 1)]
    [InlineData("delete from audit_entry where sequence = (select max(sequence) from audit_entry)", -1)]
    [InlineData("update audit_entry set sequence = sequence + 1000000 where sequence = 3", 3)]
    [InlineData("update audit_entry set hash = sha256(hash) where sequence = 3", 3)]
    [InlineData("update audit_head set hash = sha256(hash)", -1)]
    public async Task Whoever_gets_around_that_is_found_out_and_where(string statement, long at)
    {
        await FillAsync(6);
        var whole = await VerifyAsync();
        Assert.True(whole.IsIntact, whole.Reason);

        await platform.Database.ExecuteAsync(
            "create table kept as table audit_entry; create table kept_head as table audit_head; alter table audit_entry disable trigger all",
            [], CancellationToken.None);
        Assert.True(await platform.Database.ExecuteAsync(statement, [], CancellationToken.None) > 0);
        var verdict = await VerifyAsync();
        await PutBackAsync();

        Assert.False(verdict.IsIntact);
        Assert.Equal(at > 0 ? at : whole.LastSequence, verdict.BrokenAt);
        Assert.True((await VerifyAsync()).IsIntact);
    }

    [ServerFact]
    public async Task A_chain_written_anew_or_cut_is_found_out_by_an_anchor_that_was_kept_elsewhere()
    {
        await FillAsync(4);
        var kept = await VerifyAsync();
        Assert.True((await VerifyAsync(kept)).IsIntact);
        await FillAsync(2);
        Assert.True((await VerifyAsync(kept)).IsIntact);

        await platform.Database.ExecuteAsync(
            "create table kept as table audit_entry; create table kept_head as table audit_head; alter table audit_entry disable trigger all",
            [], CancellationToken.None);
        await RewriteAsync();
        var (blind, anchored) = (await VerifyAsync(), await VerifyAsync(kept));

        await platform.Database.ExecuteAsync(
            "delete from audit_entry where sequence > 2; update audit_head set sequence = 2, hash = (select hash from audit_entry where sequence = 2)",
            [], CancellationToken.None);
        var cut = await VerifyAsync(kept);
        await PutBackAsync();

        Assert.True(blind.IsIntact);
        Assert.Equal((false, kept.LastSequence), (anchored.IsIntact, anchored.BrokenAt));
        Assert.Equal((false, 3L), (cut.IsIntact, cut.BrokenAt));
    }

    // As one would who knows how it is made: another first entry, and every hash computed again.
    private async Task RewriteAsync()
    {
        var entries = await platform.Database.QueryAsync(
            $"select {AuditChain.Columns} from audit_entry order by sequence", [], AuditChain.Read, CancellationToken.None);
        await platform.Database.ExecuteAsync("delete from audit_entry", [], CancellationToken.None);
        await platform.Database.ExecuteAsync("update audit_head set sequence = 0, hash = decode(repeat('00', 32), 'hex')", [], CancellationToken.None);
        await platform.Database.InTransactionAsync(
            t => AuditChain.AddAsync(
                t, [.. entries.Select((e, i) => i == 0 ? e.Draft with { Actor = "somebody else" } : e.Draft)], CancellationToken.None),
            CancellationToken.None);
    }

    private async Task FillAsync(int count)
    {
        for (var i = 0; i < count; i++)
            await platform.Gateway.Policies.PutTrafficPolicyAsync(
                new PutTrafficPolicyRequest { Policy = Samples.Only("t", $"{i + 1}") }, platform.Admin, Samples.Soon);
    }

    private Task<int> PutBackAsync() => platform.Database.ExecuteAsync(
        """
        delete from audit_entry; insert into audit_entry select * from kept; delete from audit_head;
        insert into audit_head select * from kept_head; drop table kept; drop table kept_head;
        alter table audit_entry enable trigger all
        """,
        [], CancellationToken.None);

    private async Task<VerifyAuditResponse> VerifyAsync(VerifyAuditResponse? anchor = null) => await platform.Access.VerifyAuditAsync(
        new VerifyAuditRequest { AnchorSequence = anchor?.LastSequence ?? 0, AnchorHash = anchor?.LastHash ?? ByteString.Empty },
        platform.Admin, Samples.Soon);
}
