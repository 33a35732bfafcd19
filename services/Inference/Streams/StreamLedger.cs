using MlOps.ServiceDefaults;
using Npgsql;

namespace MlOps.Inference.Streams;

/// <summary>
/// What is known of messages by id: how often each was taken, its answer until that has gone out, and for the time of the
/// window that it is done.
/// </summary>
internal sealed class StreamLedger(NpgsqlDataSource source, TimeProvider time)
{
    /// <summary>Notes that these are in hand. Those that were done stay so.</summary>
    public async Task<Dictionary<string, KnownMessage>> TakeAsync(string model, string[] ids, CancellationToken ct)
    {
        var known = await source.QueryAsync(
            """
            insert into stream_message as m (model, message_id, attempts, taken_at)
            select $1, id, 1, $3 from unnest($2) id order by id
            on conflict (model, message_id) do update set taken_at = excluded.taken_at,
                attempts = m.attempts + case when m.ended_at is null then 1 else 0 end
            returning message_id, attempts, answer, ended_at is not null
            """,
            [model, ids, time.GetUtcNow()],
            r => KeyValuePair.Create(
                r.GetString(0),
                new KnownMessage(r.GetInt32(1), r.IsDBNull(2) ? null : r.GetFieldValue<byte[]>(2), r.GetBoolean(3))),
            ct);
        return new(known, StringComparer.Ordinal);
    }

    /// <summary>Keeps answers until they have gone out: who goes on after a crash sends them as they are.</summary>
    public Task KeepAsync(string model, string[] ids, byte[][] answers, CancellationToken ct) => source.ExecuteAsync(
        """
        update stream_message m set answer = kept.answer
        from unnest($2, $3) kept (id, answer) where m.model = $1 and m.message_id = kept.id
        """,
        [model, ids, answers], ct);

    /// <summary>They are done; their answers have gone out.</summary>
    public Task EndAsync(string model, string[] ids, CancellationToken ct) => source.ExecuteAsync(
        "update stream_message set ended_at = $3, answer = null where model = $1 and message_id = any($2)",
        [model, ids, time.GetUtcNow()], ct);

    /// <summary>They are dead letters, which somebody may put back.</summary>
    public Task ForgetAsync(string model, string[] ids, CancellationToken ct) => source.ExecuteAsync(
        "delete from stream_message where model = $1 and message_id = any($2)", [model, ids], ct);

    /// <summary>They were taken in vain: it was not their fault.</summary>
    public Task GiveBackAsync(string model, string[] ids, CancellationToken ct) => source.ExecuteAsync(
        """
        update stream_message set attempts = greatest(0, attempts - 1)
        where model = $1 and message_id = any($2) and ended_at is null
        """,
        [model, ids], ct);

    /// <summary>Forgets those done before the window, and those taken long before that never came again.</summary>
    public Task<int> SweepAsync(TimeSpan window, CancellationToken ct) => source.ExecuteAsync(
        "delete from stream_message where ended_at < $1 or (ended_at is null and taken_at < $2)",
        [time.GetUtcNow() - window, time.GetUtcNow() - window - TimeSpan.FromDays(7)], ct);
}

/// <summary>What the ledger has on a message just taken.</summary>
/// <param name="Attempts">Times it was taken, this one included.</param>
/// <param name="Answer">Computed before and not known to have gone out.</param>
/// <param name="IsDone">Its answer has gone out.</param>
internal sealed record KnownMessage(int Attempts, byte[]? Answer, bool IsDone);
