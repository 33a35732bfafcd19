using System.Diagnostics;
using System.Text.Json;
using Npgsql;
using NpgsqlTypes;

namespace MlOps.ServiceDefaults;

/// <summary>
/// Events written here leave for the bus if and only if the transaction they were written in commits
/// (the transactional outbox pattern).
/// </summary>
public sealed class Outbox(TimeProvider time)
{
    internal const string Channel = "outbox";

    /// <summary>Adds an event to the transaction; the dispatcher publishes it after the commit, at least once.</summary>
    public async Task AddAsync<TEvent>(NpgsqlTransaction transaction, TEvent message, CancellationToken ct)
        where TEvent : class
    {
        var body = new NpgsqlParameter
        {
            Value = JsonSerializer.SerializeToUtf8Bytes(message),
            NpgsqlDbType = NpgsqlDbType.Jsonb,
        };
        await transaction.ExecuteAsync(
            "insert into outbox (id, type, body, trace_parent, created_at) values ($1, $2, $3, $4, $5)",
            [Guid.CreateVersion7(time.GetUtcNow()), TypeName(typeof(TEvent)), body, Activity.Current?.Id, time.GetUtcNow()], ct);
        await transaction.ExecuteAsync($"notify {Channel}", [], ct);
    }

    // Without version and key, so that events written before an update are read after it.
    private static string TypeName(Type type) => $"{type.FullName}, {type.Assembly.GetName().Name}";
}
