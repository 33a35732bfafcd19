using System.Diagnostics;
using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace MlOps.ServiceDefaults.Messaging;

/// <summary>
/// Publishes what stands in the outbox, in order, and removes it once the broker has confirmed it. A crash in between
/// publishes again under the same message id, which the consumers' inbox recognises.
/// </summary>
internal sealed partial class OutboxDispatcher(
    NpgsqlDataSource source, DatabaseState database, IServiceProvider services, TimeProvider time,
    ILogger<OutboxDispatcher> logger)
    : BackgroundService
{
    private const int BatchSize = 100;

    // A lost notification costs at most this long.
    private static readonly TimeSpan PollInterval = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan PublishTimeout = TimeSpan.FromSeconds(20);
    private static readonly TimeSpan InboxRetention = TimeSpan.FromDays(7);
    private static readonly ActivitySource Activities = new("MlOps.Outbox");

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        // A service without a bus has nowhere to publish to.
        if (services.GetService<IBusControl>() is not { } bus) return;

        await database.WaitUntilMigratedAsync(stoppingToken);
        // Until our own queues are bound, the broker would drop what we publish to ourselves.
        await bus.WaitForHealthStatus(BusHealthStatus.Healthy, stoppingToken);
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await DispatchUntilAwayAsync(bus, stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                LogRetrying(e);
                await Task.Delay(PollInterval, time, stoppingToken);
            }
        }
    }

    private async Task DispatchUntilAwayAsync(IBus bus, CancellationToken ct)
    {
        await using var listener = await source.OpenConnectionAsync(ct);
        await listener.ExecuteAsync($"listen {Outbox.Channel}", [], ct);
        var lastSweep = 0L;
        while (true)
        {
            while (await DispatchBatchAsync(bus, ct) == BatchSize) ct.ThrowIfCancellationRequested();

            if (lastSweep == 0 || time.GetElapsedTime(lastSweep) > TimeSpan.FromHours(1))
            {
                await source.ExecuteAsync(
                    "delete from inbox where received_at < $1", [time.GetUtcNow() - InboxRetention], ct);
                lastSweep = time.GetTimestamp();
            }

            await listener.WaitAsync(PollInterval, ct);
        }
    }

    private Task<int> DispatchBatchAsync(IBus bus, CancellationToken ct) => source.InTransactionAsync(
        async transaction =>
        {
            var waiting = await transaction.QueryAsync(
                """
                select sequence, id, type, body, trace_parent from outbox
                order by sequence limit $1 for update skip locked
                """,
                [BatchSize],
                r => new Envelope(
                    r.GetInt64(0), r.GetGuid(1), r.GetString(2), r.GetString(3), r.IsDBNull(4) ? null : r.GetString(4)),
                ct);
            foreach (var envelope in waiting)
            {
                if (TryRead(envelope, out var message, out var reason)) await PublishAsync(bus, envelope, message, ct);
                else await SetAsideAsync(transaction, envelope, reason, ct);
            }

            if (waiting.Count > 0)
            {
                await transaction.ExecuteAsync(
                    "delete from outbox where sequence = any($1)", [waiting.Select(e => e.Sequence).ToArray()], ct);
            }

            return waiting.Count;
        },
        ct);

    private static bool TryRead(
        Envelope envelope, [NotNullWhen(true)] out object? message, [NotNullWhen(false)] out string? reason)
    {
        (message, reason) = (null, null);
        if (Type.GetType(envelope.Type) is not { } type)
        {
            reason = "unknown type";
            return false;
        }

        try
        {
            message = JsonSerializer.Deserialize(envelope.Body, type);
            reason = message is null ? "empty" : null;
        }
        catch (JsonException e)
        {
            reason = e.Message;
        }

        return message is not null;
    }

    private async Task SetAsideAsync(NpgsqlTransaction transaction, Envelope envelope, string reason, CancellationToken ct)
    {
        LogSetAside(envelope.Id, envelope.Type, reason);
        await transaction.ExecuteAsync(
            """
            insert into outbox_error (id, type, body, reason, created_at, failed_at)
            select id, type, body, $2, created_at, $3 from outbox where sequence = $1
            """,
            [envelope.Sequence, reason, time.GetUtcNow()], ct);
    }

    private static async Task PublishAsync(IBus bus, Envelope envelope, object message, CancellationToken ct)
    {
        var type = message.GetType();
        using var activity = Activities.StartActivity($"publish {type.Name}", ActivityKind.Producer, envelope.TraceParent);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(ct);
        timeout.CancelAfter(PublishTimeout);
        await bus.Publish(message, type, context => context.MessageId = envelope.Id, timeout.Token);
    }

    [LoggerMessage(Level = LogLevel.Warning, Message = "Events stay in the outbox for now; trying again")]
    private partial void LogRetrying(Exception exception);

    [LoggerMessage(Level = LogLevel.Error, Message = "Event {Id} of type {Type} cannot be read and is set aside in outbox_error: {Reason}")]
    private partial void LogSetAside(Guid id, string type, string reason);

    private sealed record Envelope(long Sequence, Guid Id, string Type, string Body, string? TraceParent);
}
