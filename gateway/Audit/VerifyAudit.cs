using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Gateway.Audit;

/// <summary>
/// Reads the chain from its first entry to its last: none may be missing, changed or out of place. Who could rewrite the
/// whole of it is found out by an anchor, a sequence and hash of an earlier verification that was kept elsewhere.
/// </summary>
internal sealed class VerifyAudit(NpgsqlDataSource source)
{
    private const int PageSize = 2_000;

    /// <param name="anchor">An earlier end of the chain; null: none was kept.</param>
    /// <param name="ct">Ends the reading.</param>
    public async Task<AuditVerdict> RunAsync(AuditAnchor? anchor, CancellationToken ct)
    {
        // Entries are never changed, so what is read up to this end is what stood when it was read.
        var head = await source.QueryFirstOrDefaultAsync(
            "select sequence, hash from audit_head", [], r => new AuditAnchor(r.GetInt64(0), r.GetFieldValue<byte[]>(1)), ct)
            ?? throw new InvalidOperationException("The audit has no end; its table was emptied.");
        var last = new AuditAnchor(0, new byte[32]);
        while (last.Sequence < head.Sequence)
        {
            var page = await source.QueryAsync(
                $"select {AuditChain.Columns} from audit_entry where sequence > $1 order by sequence limit $2",
                [last.Sequence, PageSize], AuditChain.Read, ct);
            if (page.Count == 0) return Broken(last.Sequence + 1, "it is missing, though the chain goes on");
            foreach (var entry in page.TakeWhile(e => e.Sequence <= head.Sequence))
            {
                if (entry.Sequence != last.Sequence + 1) return Broken(last.Sequence + 1, "it is missing");
                if (!entry.PreviousHash.AsSpan().SequenceEqual(last.Hash)) return Broken(entry.Sequence, "it does not follow the one before");
                if (!entry.IsIntact) return Broken(entry.Sequence, "it was changed");
                if (entry.Sequence == anchor?.Sequence && !entry.Hash.AsSpan().SequenceEqual(anchor.Hash))
                    return Broken(entry.Sequence, "it is not the one of the anchor: the chain was written anew");
                last = new AuditAnchor(entry.Sequence, entry.Hash);
            }
        }

        if (!last.Hash.AsSpan().SequenceEqual(head.Hash)) return Broken(head.Sequence, "it is not the end that was noted");
        return anchor?.Sequence > head.Sequence
            ? Broken(head.Sequence + 1, "the anchor is beyond the end: the chain was cut")
            : new AuditVerdict(true, 0, "", head);

        AuditVerdict Broken(long at, string why) => new(false, at, $"Entry {at}: {why}.", last);
    }
}

/// <summary>An end of the chain.</summary>
internal sealed record AuditAnchor(long Sequence, byte[] Hash);

/// <summary>Whether the chain is whole, else the first entry that is not right and why, and the last that is.</summary>
internal sealed record AuditVerdict(bool IsIntact, long BrokenAt, string Reason, AuditAnchor Last);
