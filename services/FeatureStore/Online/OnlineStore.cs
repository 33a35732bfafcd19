using Grpc.Core;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace MlOps.FeatureStore.Online;

/// <summary>Redis, asked with a limit of time: an answer that does not come in time is a store that is away.</summary>
internal sealed class OnlineStore(IConnectionMultiplexer redis, IOptions<OnlineOptions> options)
{
    // Writes only what is not older than what is there: bytes 2 to 9 are the time it was known at, in sortable form.
    private const string WriteScript = """
        local written = 0
        for i = 1, #KEYS do
            local kept, candidate = redis.call('GETRANGE', KEYS[i], 0, 8), ARGV[i + 2]
            local isOlder = false
            if ARGV[2] ~= '1' and #kept == 9 and string.byte(kept, 1) == string.byte(candidate, 1) then
                for b = 2, 9 do
                    local k, c = string.byte(kept, b), string.byte(candidate, b)
                    if k ~= c then
                        isOlder = c < k
                        break
                    end
                end
            end
            if not isOlder then
                redis.call('SET', KEYS[i], candidate, 'EX', ARGV[1])
                written = written + 1
            end
        end
        return written
        """;

    /// <summary>All values in one round trip; null where there is none.</summary>
    public async Task<RedisValue[]> ReadAsync(RedisKey[] keys, CancellationToken ct)
    {
        using var activity = FeatureStoreTelemetry.StartRedis("MGET");
        return await InTimeAsync(redis.GetDatabase().StringGetAsync(keys), ct);
    }

    /// <summary>
    /// Writes values that are not older than those there, or all of them when newer ones are to be replaced, and gives each
    /// written key its time to live; the number written.
    /// </summary>
    public async Task<long> WriteAsync(
        RedisKey[] keys, RedisValue[] values, TimeSpan timeToLive, bool replaceNewer, CancellationToken ct)
    {
        using var activity = FeatureStoreTelemetry.StartRedis("EVAL");
        RedisValue[] arguments = [(long)timeToLive.TotalSeconds, replaceNewer ? 1 : 0, .. values];
        var database = redis.GetDatabase();
        try
        {
            return (long)await InTimeAsync(database.ScriptEvaluateAsync(WriteScript, keys, arguments), ct);
        }
        catch (RedisServerException failure) when (failure.Message.StartsWith("NOSCRIPT", StringComparison.Ordinal))
        {
            // Redis was restarted and forgot the script; the client sends its text again.
            return (long)await InTimeAsync(database.ScriptEvaluateAsync(WriteScript, keys, arguments), ct);
        }
    }

    /// <summary>Removes keys; the number of those that were there.</summary>
    public async Task<long> RemoveAsync(RedisKey[] keys, CancellationToken ct)
    {
        using var activity = FeatureStoreTelemetry.StartRedis("DEL");
        return await InTimeAsync(redis.GetDatabase().KeyDeleteAsync(keys), ct);
    }

    private async Task<T> InTimeAsync<T>(Task<T> answer, CancellationToken ct)
    {
        try
        {
            return await answer.WaitAsync(options.Value.Timeout, ct);
        }
        catch (TimeoutException)
        {
            // Not a deadline of the caller's: whoever asks may try again.
            throw new RpcException(
                new(StatusCode.Unavailable, $"The online store did not answer within {options.Value.Timeout.TotalMilliseconds:0} ms."),
                new Metadata { { "mlops-code", "ONLINE_STORE_UNAVAILABLE" } });
        }
    }
}
