using System.Globalization;
using StackExchange.Redis;
using Xunit;

namespace MlOps.TestServers;

/// <summary>
/// An empty logical database of a test class's own, emptied at the end: <c>IClassFixture&lt;RedisDatabase&lt;OnlineTests&gt;&gt;</c>.
/// Database 0 holds only the claims on the others. Without servers it does nothing, so that the class can skip its tests.
/// </summary>
public sealed class RedisDatabase<TTest> : IAsyncLifetime
{
    private static readonly TimeSpan ClaimLasts = TimeSpan.FromHours(1);
    private readonly string _owner = UniqueName.For(typeof(TTest));
    private ConnectionMultiplexer? _redis;
    private int _index;

    /// <summary>What a service under test gets as its connection string.</summary>
    public string ConnectionString => $"{Servers.Redis},defaultDatabase={_index}";

    public IDatabase Database => Redis.GetDatabase(_index);

    private ConnectionMultiplexer Redis =>
        _redis ?? throw new InvalidOperationException("There is no Redis to test on. Run ./mlops test.");

    public async Task InitializeAsync()
    {
        if (!Servers.AreThere)
            return;
        _redis = await ConnectionMultiplexer.ConnectAsync($"{Servers.Redis},allowAdmin=true,abortConnect=true");
        var count = await CountAsync();
        await Eventually.Async(() => TryClaimAsync(count), TimeSpan.FromMinutes(2), "a free logical database in Redis");
        await Database.ExecuteAsync("FLUSHDB");
    }

    public async Task DisposeAsync()
    {
        if (_redis is null)
            return;
        await Database.ExecuteAsync("FLUSHDB");
        await _redis.GetDatabase(0).KeyDeleteAsync(ClaimOn(_index));
        await _redis.CloseAsync();
        _redis.Dispose();
    }

    private static RedisKey ClaimOn(int index) => $"test:claim:{index}";

    private async Task<bool> TryClaimAsync(int count)
    {
        for (var index = 1; index < count; index++)
        {
            if (await Redis.GetDatabase(0).StringSetAsync(ClaimOn(index), _owner, ClaimLasts, When.NotExists))
            {
                _index = index;
                return true;
            }
        }
        return false;
    }

    private async Task<int> CountAsync()
    {
        var reply = (RedisResult[]?)await Redis.GetDatabase(0).ExecuteAsync("CONFIG", "GET", "databases");
        return int.Parse((string?)reply?[1] ?? "16", CultureInfo.InvariantCulture);
    }
}
