using MlOps.TestServers;
using StackExchange.Redis;

namespace MlOps.ServiceDefaults.Tests;

public class TestServersTests(PostgresDatabase<TestServersTests> database, RedisDatabase<TestServersTests> redis)
    : IClassFixture<PostgresDatabase<TestServersTests>>, IClassFixture<RedisDatabase<TestServersTests>>
{
    [ServerFact]
    public async Task A_test_class_has_a_database_of_its_own()
    {
        await using var command = database.DataSource.CreateCommand(
            "select current_database(), count(*) from pg_tables where schemaname = 'public'");
        await using var row = await command.ExecuteReaderAsync();
        Assert.True(await row.ReadAsync());
        Assert.StartsWith("test_servers_tests_", row.GetString(0), StringComparison.Ordinal);
        Assert.Equal(0, row.GetInt64(1));
    }

    [ServerFact]
    public async Task A_service_given_the_connection_string_writes_to_the_class_s_logical_database()
    {
        using var service = await ConnectionMultiplexer.ConnectAsync(redis.ConnectionString);
        await service.GetDatabase().StringSetAsync("key", "value");
        Assert.Equal("value", await redis.Database.StringGetAsync("key"));
        Assert.NotEqual(0, redis.Database.Database);
    }

    [Fact]
    public void Advancing_a_manual_clock_fires_its_timers_in_order_at_their_times()
    {
        var clock = new ManualTimeProvider();
        var start = clock.GetUtcNow();
        var fired = new List<string>();
        void Fire(string name) => fired.Add($"{name}@{(clock.GetUtcNow() - start).TotalSeconds:0}");
        using var every = clock.CreateTimer(_ => Fire("every"), null, TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(2));
        using var once = clock.CreateTimer(_ => Fire("once"), null, TimeSpan.FromSeconds(3), Timeout.InfiniteTimeSpan);

        clock.Advance(TimeSpan.FromSeconds(5));

        Assert.Equal(["every@2", "once@3", "every@4"], fired);
        Assert.Equal(TimeSpan.FromSeconds(5), clock.GetElapsedTime(start.Ticks));
    }

    [Fact]
    public async Task A_delay_on_a_manual_clock_ends_when_the_clock_gets_there()
    {
        var clock = new ManualTimeProvider();
        var delay = Task.Delay(TimeSpan.FromMinutes(1), clock);
        clock.Advance(TimeSpan.FromSeconds(59));
        Assert.False(delay.IsCompleted);
        clock.Advance(TimeSpan.FromSeconds(1));
        await delay;
    }

    [Fact]
    public async Task Waiting_for_what_never_happens_ends_at_the_deadline_and_names_it()
    {
        var failure = await Assert.ThrowsAsync<TimeoutException>(
            () => Eventually.Async(() => false, TimeSpan.Zero, "pigs fly"));
        Assert.Contains("pigs fly", failure.Message, StringComparison.Ordinal);
    }
}
