using Npgsql;

namespace MlOps.ServiceDefaults;

/// <summary>Lets each message take effect once per consumer, however often it is delivered.</summary>
public sealed class Inbox(TimeProvider time)
{
    /// <summary>
    /// Notes the message in the transaction of its effect. False: it took effect before, do nothing.
    /// A concurrent delivery waits here until this transaction ends.
    /// </summary>
    public async Task<bool> TryEnterAsync(
        NpgsqlTransaction transaction, string consumer, Guid messageId, CancellationToken ct) =>
        await transaction.ExecuteAsync(
            "insert into inbox (consumer, message_id, received_at) values ($1, $2, $3) on conflict do nothing",
            [consumer, messageId, time.GetUtcNow()], ct) == 1;
}
