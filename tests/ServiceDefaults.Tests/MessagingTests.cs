using MassTransit;
using Microsoft.Extensions.DependencyInjection;
using MlOps.TestServers;
using Npgsql;

namespace MlOps.ServiceDefaults.Tests;

public sealed record ParcelSent(Guid Parcel, string Address);

public sealed record ParcelLost(Guid Parcel);

/// <summary>Outbox, inbox, retry and error queue on real PostgreSQL and RabbitMQ.</summary>
public sealed class MessagingTests(PostgresDatabase<MessagingTests> database, BusPrefix<MessagingTests> prefix)
    : IClassFixture<PostgresDatabase<MessagingTests>>, IClassFixture<BusPrefix<MessagingTests>>
{
    private static CancellationToken Ct => CancellationToken.None;

    [ServerFact]
    public async Task An_event_leaves_when_its_transaction_commits_and_only_then()
    {
        var seen = new Seen();
        await using var host = await StartAsync(seen);
        var source = host.Services.GetRequiredService<NpgsqlDataSource>();
        var outbox = host.Services.GetRequiredService<Outbox>();
        var (sent, dropped) = (Guid.NewGuid(), Guid.NewGuid());

        await Assert.ThrowsAsync<InvalidOperationException>(() => source.InTransactionAsync(
            async tx =>
            {
                await outbox.AddAsync(tx, new ParcelSent(dropped, "nowhere"), Ct);
                throw new InvalidOperationException("rolled back");
            },
            Ct));
        await source.InTransactionAsync(tx => outbox.AddAsync(tx, new ParcelSent(sent, "home"), Ct), Ct);

        await Eventually.Async(() => seen.Parcels.ContainsKey(sent), TimeSpan.FromSeconds(30));
        Assert.False(seen.Parcels.ContainsKey(dropped));
        await Eventually.Async(async () => await CountAsync(source, "outbox") == 0, TimeSpan.FromSeconds(10));
    }

    [ServerFact]
    public async Task An_event_that_cannot_be_read_does_not_hold_up_those_behind_it()
    {
        var seen = new Seen();
        await using var host = await StartAsync(seen);
        var source = host.Services.GetRequiredService<NpgsqlDataSource>();
        var (unknown, parcel) = (Guid.NewGuid(), Guid.NewGuid());

        await source.ExecuteAsync(
            "insert into outbox (id, type, body) values ($1, 'No.Such.Event, Nowhere', '{}')", [unknown], Ct);
        await source.InTransactionAsync(
            tx => host.Services.GetRequiredService<Outbox>().AddAsync(tx, new ParcelSent(parcel, "home"), Ct), Ct);

        await Eventually.Async(() => seen.Parcels.ContainsKey(parcel), TimeSpan.FromSeconds(30));
        await Eventually.Async(async () => await CountAsync(source, "outbox_error") == 1, TimeSpan.FromSeconds(10));
        var aside = await source.QueryAsync("select id, reason from outbox_error", [], r => (r.GetGuid(0), r.GetString(1)), Ct);
        Assert.Equal((unknown, "unknown type"), Assert.Single(aside));
    }

    [ServerFact]
    public async Task A_message_delivered_twice_takes_effect_once()
    {
        var seen = new Seen();
        await using var host = await StartAsync(seen);
        var (parcel, id) = (Guid.NewGuid(), Guid.NewGuid());
        var bus = host.Services.GetRequiredService<IBus>();

        for (var i = 0; i < 2; i++) await bus.Publish(new ParcelSent(parcel, "home"), c => c.MessageId = id);
        var marker = Guid.NewGuid();
        await bus.Publish(new ParcelSent(marker, "last"));

        await Eventually.Async(() => seen.Parcels.ContainsKey(marker), TimeSpan.FromSeconds(30));
        Assert.Equal(1, seen.Parcels[parcel]);
    }

    [ServerFact]
    public async Task A_consumer_that_fails_is_tried_again()
    {
        var seen = new Seen { FailuresLeft = 2 };
        await using var host = await StartAsync(seen);
        var parcel = Guid.NewGuid();

        await host.Services.GetRequiredService<IBus>().Publish(new ParcelLost(parcel));

        await Eventually.Async(() => seen.Parcels.ContainsKey(parcel), TimeSpan.FromSeconds(30));
        Assert.Equal(0, seen.FailuresLeft);
    }

    [ServerFact]
    public async Task A_message_outlasts_a_database_that_is_away_for_more_tries_than_a_failure_gets()
    {
        var seen = new Seen { FailuresLeft = 7, Failure = new NpgsqlException("away", new IOException()) };
        await using var host = await StartAsync(seen);
        var parcel = Guid.NewGuid();

        await host.Services.GetRequiredService<IBus>().Publish(new ParcelLost(parcel));

        await Eventually.Async(() => seen.Parcels.ContainsKey(parcel), TimeSpan.FromSeconds(60));
        Assert.Equal(0, seen.FailuresLeft);
    }

    [ServerFact]
    public async Task Two_replicas_migrate_one_database_once()
    {
        await using var first = await StartAsync(new Seen());
        await using var second = await StartAsync(new Seen());

        var source = first.Services.GetRequiredService<NpgsqlDataSource>();
        Assert.Equal(2, await CountAsync(source, "schema_migration"));
    }

    private async Task<Host> StartAsync(Seen seen)
    {
        var host = await HostAsync(seen);
        using var deadline = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        await host.Services.GetRequiredService<IBusControl>().WaitForHealthStatus(BusHealthStatus.Healthy, deadline.Token);
        return host;
    }

    private Task<Host> HostAsync(Seen seen) => Host.StartAsync(
        builder =>
        {
            builder.Services.AddSingleton(seen);
            builder.AddDatabase("db");
            builder.AddBus(bus =>
            {
                bus.AddConsumer<ParcelSentConsumer>();
                bus.AddConsumer<ParcelLostConsumer>();
            });
        },
        null,
        ("ConnectionStrings:db", database.ConnectionString),
        ("ConnectionStrings:rabbitmq", Servers.RabbitMq),
        ("Bus:Prefix", prefix.Value));

    private static Task<long> CountAsync(NpgsqlDataSource source, string table) =>
        source.QueryFirstOrDefaultAsync($"select count(*) from {table}", [], r => r.GetInt64(0), Ct);

    private sealed class Seen
    {
        public System.Collections.Concurrent.ConcurrentDictionary<Guid, int> Parcels { get; } = [];

        public int FailuresLeft { get; set; }

        public Exception Failure { get; init; } = new InvalidOperationException("not yet");
    }

    private sealed class ParcelSentConsumer(Seen seen, Inbox inbox, NpgsqlDataSource source) : IConsumer<ParcelSent>
    {
        public Task Consume(ConsumeContext<ParcelSent> context) => source.InTransactionAsync(
            async tx =>
            {
                var id = context.MessageId ?? throw new InvalidOperationException("A message without an id.");
                if (!await inbox.TryEnterAsync(tx, nameof(ParcelSentConsumer), id, context.CancellationToken)) return;
                seen.Parcels.AddOrUpdate(context.Message.Parcel, 1, (_, n) => n + 1);
            },
            context.CancellationToken);
    }

    private sealed class ParcelLostConsumer(Seen seen) : IConsumer<ParcelLost>
    {
        public Task Consume(ConsumeContext<ParcelLost> context)
        {
            if (seen.FailuresLeft > 0)
            {
                seen.FailuresLeft--;
                throw seen.Failure;
            }

            seen.Parcels.TryAdd(context.Message.Parcel, 1);
            return Task.CompletedTask;
        }
    }
}
